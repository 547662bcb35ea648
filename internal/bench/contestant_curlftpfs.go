package main

var curlftpfs = contestant{
	name: "curlftpfs", about: "as it is without options", program: "curlftpfs", version: []string{"--version"},
	mount: func(j mountJob) mountBy {
		// It reads no password from anywhere else without a terminal; this one is no secret.
		return mountBy{args: []string{"-f", "-o", "user=" + j.server.User + ":" + j.server.Password, "ftp://" + j.server.Addr + "/", j.dir}}
	},
}
