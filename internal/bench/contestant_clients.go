package main

// Bare clients show what FTP allows without a file system in between. Workloads drive them
// themselves.
var (
	lftp = contestant{name: "lftp", about: "a client, logged in before the clock starts", program: "lftp", version: []string{"--version"}}
	curl = contestant{name: "curl", about: "a client, logs in while the clock runs", program: "curl", version: []string{"--version"}}
)
