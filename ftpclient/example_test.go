package ftpclient_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/internal/ftptest"

	"github.com/spf13/afero"
)

// server starts a server on loopback with two files.
func server() (addr string, stop func()) {
	e, err := ftptest.New(ftptest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	at := time.Date(2020, 2, 20, 20, 20, 0, 0, time.UTC)
	for name, text := range map[string]string{"/a.txt": "first", "/b.txt": "second"} {
		afero.WriteFile(e.Fs(), name, []byte(text), 0o644)
		e.Fs().Chtimes(name, at, at)
	}
	return e.Addr(), e.Close
}

func Example() {
	addr, stop := server()
	defer stop()

	client, err := ftpclient.New(ftpclient.Config{Addr: addr, User: "user", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	listing, err := client.List(context.Background(), "/")
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range listing.Entries {
		fmt.Println(e.Name, e.Type, e.Size, e.ModTime.Format(time.DateOnly))
	}
	// Unordered output:
	// a.txt file 5 2020-02-20
	// b.txt file 6 2020-02-20
}

// Reading the tail of a file. Ending early does no harm to the connection.
func ExampleClient_Retrieve() {
	addr, stop := server()
	defer stop()
	client, err := ftpclient.New(ftpclient.Config{Addr: addr, User: "user", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	r, err := client.Retrieve(context.Background(), "/b.txt", 2, -1)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	tail, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", tail)
	// Output: cond
}

// A file is sent under a temporary name and takes its place only when it is whole.
func ExampleWriter_Commit() {
	addr, stop := server()
	defer stop()
	client, err := ftpclient.New(ftpclient.Config{Addr: addr, User: "user", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	w, err := client.Store(ctx, "/.a.txt.part")
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort() // does nothing after Commit
	if _, err := io.WriteString(w, "a new text"); err != nil {
		log.Fatal(err)
	}
	e, err := w.Commit(ctx, ftpclient.Commit{Path: "/a.txt", ModTime: time.Unix(1e9, 0)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Name, e.Size, e.ModTime)
	// Output: a.txt 10 2001-09-09 01:46:40 +0000 UTC
}
