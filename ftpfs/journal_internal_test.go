package ftpfs

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ftpfs/cache"
)

// What is written after an upload, or after its time was set, has a time of its own
// in the journal.
func TestJournalHasTheTimeOfTheLastWrite(t *testing.T) {
	config := cache.FilesConfig{Dir: t.TempDir(), Name: "server"}
	files, err := cache.OpenFiles(config)
	if err != nil {
		t.Fatal(err)
	}
	file, err := files.Create("/file")
	if err != nil {
		t.Fatal(err)
	}
	c := &content{file: file, fresh: true}
	write := func() {
		t.Helper()
		if _, err := c.write([]byte("data"), 0); err != nil {
			t.Fatal(err)
		}
	}
	write()
	old := time.Unix(1e9, 0).UTC()
	c.setTime(old)
	publish(c)
	c.journal()
	write() // of the same size
	if err := file.Park(); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if files, err = cache.OpenFiles(config); err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	list, failed := files.Resume()
	if len(list) != 1 || len(failed) != 0 {
		t.Fatalf("%v, %v", list, failed)
	}
	after := &content{file: list[0].File}
	if err := after.restore(list[0].Note); err != nil {
		t.Fatal(err)
	}
	if !after.mtime.Equal(c.mtime) || after.mtime.Equal(old) {
		t.Errorf("written at %v, the journal says %v", c.mtime, after.mtime)
	}
}

// A note may say anything: what is taken over of it is the same when it is written down and
// read again.
func FuzzNote(f *testing.F) {
	f.Add([]byte(`{"base":{"size":3,"time":[1,2],"unit":1000000000,"mode":420},"fresh":true,"tail":7,"mtime":[5,6],"mode":384,"temp":"YQ==","left":["Yg=="],"aside":"Yw==","doomed":true,"sent":[{"size":-1,"time":[-1,99],"unit":0},{"size":5,"time":[7,0],"unit":1000000000}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c, again content
		if c.restore(text) != nil {
			return
		}
		written, err := json.Marshal(c.note())
		if err != nil {
			t.Fatal(err)
		}
		if err := again.restore(written); err != nil || !reflect.DeepEqual(again.note(), c.note()) {
			t.Errorf("%s is read again as %+v, %v", written, again.note(), err)
		}
	})
}
