package ftpclient

import (
	"bufio"
	"strings"
	"testing"
)

// BenchmarkReply reads replies as they come on a control connection.
func BenchmarkReply(b *testing.B) {
	for _, reply := range []struct{ name, text string }{
		{"short", "226 Transfer complete.\r\n"},
		{"multiline", "211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n MLST type*;size*;modify*;\r\n PASV\r\n REST STREAM\r\n SIZE\r\n UTF8\r\n211 End\r\n"},
	} {
		text := reply.text
		b.Run(reply.name, func(b *testing.B) {
			in := strings.NewReader(text)
			br := bufio.NewReader(in)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(text)
				br.Reset(in)
				if _, err := readReply(br, func(line string) string { return line }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
