// Package csi is the part of a driver of the Container Storage Interface that runs on each
// node of a cluster: an orchestrator such as Kubernetes asks it to mount a volume for a
// container (publish) and to unmount it.
//
// A Driver serves the identity and the node service over a socket. A volume is an FTP server
// that exists already: its context has the URL, its mount flags are options of ftpfs, and its
// secrets are username and password. Nothing is created, attached or staged, so there is no
// controller service.
//
// Limits: volumes that are described in a pod are refused, since their options would come from
// whoever may start a pod, and name files of the node.
package csi
