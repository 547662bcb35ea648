package main

import (
	"net"
	"os/exec"
	"strings"
)

var rcloneContestants = []contestant{
	rclone("rclone full", "mount --vfs-cache-mode full", "--vfs-cache-mode=full"),
	apart(rclone("rclone writes", "mount --vfs-cache-mode writes --vfs-write-back 0s", "--vfs-cache-mode=writes", "--vfs-write-back=0s")),
}

func rclone(name, about string, flags ...string) contestant {
	return contestant{
		name: name, about: about, program: "rclone", version: []string{"version"},
		mount: func(j mountJob) mountBy {
			host, port, _ := net.SplitHostPort(j.server.Addr)
			return mountBy{
				args: append([]string{"mount", ":ftp:", j.dir, "--config=", "--cache-dir=" + j.cache}, flags...),
				env: []string{"RCLONE_FTP_HOST=" + host, "RCLONE_FTP_PORT=" + port,
					"RCLONE_FTP_USER=" + j.server.User, "RCLONE_FTP_PASS=" + obscured(j.server.Password)},
			}
		},
	}
}

// obscured is the password in the form that rclone wants.
func obscured(password string) string {
	cmd := exec.Command("rclone", "obscure", "-")
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.Output()
	if err != nil {
		return "" // the login will fail and say so
	}
	return strings.TrimSpace(string(out))
}
