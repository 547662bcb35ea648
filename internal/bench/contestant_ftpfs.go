package main

import (
	"crypto/sha256"
	"fmt"
)

// ftpfsProgram is what "make build" has built, not what may be installed.
var ftpfsProgram = "bin/ftpfs"

var ftpfsContestants = []contestant{
	ftpfs(ours, "as it is without flags"),
	apart(ftpfs("ftpfs active", "--mode active", "--mode=active")),
	apart(pinned(ftpfs(oursTLS, "--tls explicit", "--tls=explicit"))),
	apart(ftpfs("ftpfs small cache", "--cache-size 16M", "--cache-size=16M")),
	apart(needing("--write-back", ftpfs("ftpfs write-back", "--write-back: close does not wait for the server", "--write-back"))),
}

func ftpfs(name, about string, flags ...string) contestant {
	return contestant{
		name: name, about: about, program: ours, tracing: true,
		mount: func(j mountJob) mountBy {
			args := append([]string{"-f", "--cache-dir=" + j.cache}, flags...)
			if j.trace != "" {
				args = append(args, "-d", "--log-file="+j.trace)
			}
			return mountBy{
				args: append(args, "ftp://"+j.server.User+"@"+j.server.Addr+"/", j.dir),
				env:  []string{"FTPFS_PASSWORD=" + j.server.Password},
			}
		},
	}
}

// pinned trusts the server's certificate, which is not for its address on the link.
func pinned(c contestant) contestant {
	plain := c.mount
	c.mount = func(j mountJob) mountBy {
		by := plain(j)
		by.args = append([]string{fmt.Sprintf("--pin=sha256:%x", sha256.Sum256(j.server.CA.Raw))}, by.args...)
		return by
	}
	return c
}

func needing(flag string, c contestant) contestant {
	c.needs = flag
	return c
}

func apart(c contestant) contestant {
	c.apart = true
	return c
}
