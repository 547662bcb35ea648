package ftpfs

import "testing"

// A write of which the sender does not know yet is not left out of what it
// publishes.
func TestSenderIsGivenUpWhileAWriteIsUnderWay(t *testing.T) {
	s := &sender{wake: make(chan struct{}, 1)}
	c := &content{sender: s, changes: 1}
	if c.takeSender() != nil || !s.spoiled {
		t.Error("the sender would be finished")
	}
	s = &sender{wake: make(chan struct{}, 1)}
	c = &content{sender: s}
	if c.takeSender() != s || s.spoiled {
		t.Error("the sender was given up in vain")
	}
}
