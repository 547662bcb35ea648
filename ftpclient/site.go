package ftpclient

import (
	"context"
	"strings"
)

// siteVerbs are the SITE commands that a server has told in its help; nil before.
type siteVerbs map[string]bool

// parseSiteHelp reads the reply to SITE HELP: words in capitals, among prose. A star
// marks what is recognised but not implemented.
func parseSiteHelp(r reply) siteVerbs {
	verbs := siteVerbs{}
	if r.code != 214 && r.code != 211 {
		return verbs
	}
	for _, line := range r.lines {
		for word := range strings.FieldsSeq(line) {
			if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
				verbs[word] = true
			}
		}
	}
	return verbs
}

// hasSite tells whether the server has a SITE command: by FEAT, else by SITE HELP, which
// is asked once, when somebody wants to know.
func (cl *Client) hasSite(ctx context.Context, verb string) (bool, error) {
	if err := cl.introduced(ctx); err != nil {
		return false, err
	}
	s := &cl.server
	s.mu.Lock()
	announced, verbs := s.features.has("SITE "+verb), s.site
	s.mu.Unlock()
	if announced || verbs != nil {
		return announced || verbs[verb], nil
	}
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		replies, err := c.exchange(command{"SITE", "HELP"})
		if err == nil {
			verbs = parseSiteHelp(replies[0])
		}
		return err
	})
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	s.site = verbs
	s.mu.Unlock()
	return verbs[verb], nil
}
