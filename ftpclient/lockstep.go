package ftpclient

// Some small servers, as in printers, cameras and controllers, take one command out of what
// they read and lose the rest. A login in one write shows it: there is no reply to PASS. From
// then on each command waits for the reply to the one before it.

// sendBefore sends what comes before the transfer command, and reads the replies, where they
// must not leave together.
func (c *conn) sendBefore(t *transfer) error {
	if len(t.before) == 0 || !c.client.server.inLockstep() {
		return nil
	}
	replies, err := c.exchange(t.before...)
	if err != nil {
		return err
	}
	if err := t.refusal(replies); err != nil {
		return err
	}
	t.before = nil
	return nil
}

// sendTransfer sends the transfer command after what comes before it, if it is wanted then.
func (c *conn) sendTransfer(t *transfer) error {
	if err := c.sendBefore(t); err != nil {
		return err
	}
	if err := t.wanted(); err != nil {
		return err
	}
	if err := c.send(t.commands()...); err != nil {
		return err
	}
	return nil
}

func (s *serverInfo) inLockstep() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lockstep
}

func (s *serverInfo) learnLockstep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockstep, s.unchained, s.reluctant = true, true, true
}
