package cache

// Clear evicts all data that nobody uses, except for what is dirty.
func (s *Files) Clear() {
	if s.begin() != nil {
		return
	}
	n := s.lru.Len()
	s.mu.Unlock()
	for range n {
		if !s.evict() {
			break
		}
	}
	s.mu.Lock()
	s.end()
}
