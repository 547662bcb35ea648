package ftpclient

import (
	"context"
	"errors"
)

// Listed is a directory's part of the answer of ListMany.
type Listed struct {
	Listing Listing
	Err     error
}

// ListMany lists several directories, each as List does. Where the server shows the same over
// the control connection (Server().ListsTogether) it takes a round trip for many of
// them, else they are listed one after another. It blocks until all are answered or ctx ends.
func (cl *Client) ListMany(ctx context.Context, dirs []string) []Listed {
	answers := make([]Listed, len(dirs))
	asked := make([]bool, len(dirs))
	if s := &cl.server; cl.cfg.ListBy == ListAuto && s.can(&s.stat) == Yes {
		cl.statMany(ctx, dirs, false, func(i int, l Listing, _ reply, err error) {
			answers[i], asked[i] = Listed{l, err}, true
		})
	}
	for i, dir := range dirs {
		a := &answers[i]
		switch {
		case !asked[i] || a.Err == nil && !a.Listing.self:
			a.Listing, a.Err = cl.List(ctx, dir)
		case a.Err == nil:
			a.Err = cl.setZone(ctx, dir, a.Listing.Entries)
		}
	}
	return answers
}

// statMany asks for as many directories as it can by STAT, with the facts of each if wanted,
// and tells the answers that may be used.
func (cl *Client) statMany(ctx context.Context, dirs []string, facts bool, answer func(i int, l Listing, self reply, err error)) {
	cl.do(ctx, useShort, true, func(c *conn) error {
		for next := 0; next < len(dirs); {
			var burst []byte
			var questions []statQuestion
			var at []int
			for ; next < len(dirs); next++ {
				steps, err := c.steps("STAT", dirs[next])
				if err != nil || len(steps) > 1 || checkPath("STAT", dirs[next]) != nil {
					continue // List knows what to do
				}
				q := c.statQuestion(dirs[next], steps[0])
				if facts {
					arg, err := c.arg("MLST", dirs[next])
					if err != nil {
						continue
					}
					q.askFacts(arg)
				}
				size := 0
				for _, k := range q.cmds {
					size += len(k.line())
				}
				if len(burst) > 0 && len(burst)+size > c.client.server.window() {
					break
				}
				for _, k := range q.cmds {
					burst = append(burst, c.line(k)...)
				}
				questions = append(questions, q)
				at = append(at, next)
			}
			if len(questions) == 0 {
				return nil
			}
			if err := c.check(); err != nil {
				return err
			}
			if err := c.write(burst); err != nil {
				return err
			}
			for i, q := range questions {
				l, self, err := c.statAnswer(q, nil)
				if c.err != nil {
					return err
				}
				if err == nil {
					cl.server.show(l.Entries)
					cl.counters.unparsed.Add(int64(l.Unparsed))
				}
				if !errors.Is(err, errUnsound) {
					answer(at[i], l, self, failed("STAT", q.dir, err))
				}
			}
		}
		return nil
	})
}
