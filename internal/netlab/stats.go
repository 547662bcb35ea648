package netlab

// Stats is what went over a link so far.
type Stats struct {
	ToServer, ToClient Traffic
}

// Traffic is what went in one direction.
type Traffic struct {
	Packets uint64 // that arrived
	Bytes   uint64 // of these, as IP packets
	Dropped uint64 // packets that did not arrive: by chance, or because the queue was full
}
