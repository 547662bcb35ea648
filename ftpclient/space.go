package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Space is the room that the server tells of, in bytes.
type Space struct {
	Free  int64
	Total int64 // -1 unknown
}

// Space asks the server how much more may be stored in dir: by AVBL
// (draft-peterson-streamlined-ftp-command-extensions) where FEAT tells of it, by SITE QUOTA
// on proftpd, whose answer concerns the user. The error is errors.ErrUnsupported if it
// does not tell, or if there is no limit.
func (cl *Client) Space(ctx context.Context, dir string) (Space, error) {
	if err := cl.introduced(ctx); err != nil {
		return Space{}, failed("AVBL", dir, err)
	}
	if cl.CanTellSpace() == No {
		return Space{}, fmt.Errorf("space of %s: %w", dir, errors.ErrUnsupported)
	}
	if cl.server.announced().has("AVBL") {
		r, err := cl.ask(ctx, "AVBL", dir)
		if err != nil {
			return Space{}, err
		}
		n := parseSize(r.text())
		if r.code != 213 || n < 0 {
			return Space{}, refusal("AVBL", dir, r)
		}
		return Space{Free: n, Total: -1}, nil
	}
	var r reply
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		replies, err := c.exchange(command{"SITE", "QUOTA"})
		if err == nil {
			r = replies[0]
		}
		return err
	})
	if err != nil {
		return Space{}, failed("SITE QUOTA", "", err)
	}
	space, ok := parseQuota(r)
	if !ok {
		cl.server.learn(&cl.server.quota, No)
		return Space{}, fmt.Errorf("space of %s: %w", dir, errors.ErrUnsupported)
	}
	cl.server.learn(&cl.server.quota, Yes)
	return space, nil
}

// CanTellSpace tells what is known of Space.
func (cl *Client) CanTellSpace() Capability {
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.features.has("AVBL"):
		return Yes
	case !s.known || s.proftpd:
		return s.quota
	}
	return No
}

// parseQuota reads proftpd's reply to SITE QUOTA, in which bytes are limited by lines such
// as "Uploaded Kb:  6229.36/10240.00" and "Transferred Kb:  unlimited". false if
// neither is limited.
func parseQuota(r reply) (Space, bool) {
	if r.code != 200 {
		return Space{}, false
	}
	quota, limited := Space{}, false
	for _, line := range r.lines {
		what, figures, _ := strings.Cut(line, ":")
		kind, unit, _ := strings.Cut(strings.TrimSpace(what), " ")
		scale := map[string]float64{"bytes": 1, "Kb": 1 << 10, "Mb": 1 << 20, "Gb": 1 << 30}[unit]
		if kind != "Uploaded" && kind != "Transferred" || scale == 0 {
			continue
		}
		now, most, _ := strings.Cut(strings.TrimSpace(figures), "/")
		used, err1 := strconv.ParseFloat(now, 64)
		limit, err2 := strconv.ParseFloat(most, 64)
		const sane = 1 << 60
		if err1 != nil || err2 != nil || !(used >= 0 && limit >= 0 && used*scale < sane && limit*scale < sane) {
			continue
		}
		s := Space{Free: int64(max(0, limit-used) * scale), Total: int64(limit * scale)}
		if !limited || s.Free < quota.Free {
			quota, limited = s, true
		}
	}
	return quota, limited
}
