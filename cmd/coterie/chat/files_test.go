package chat

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"coterie/crypto/ake"
	"coterie/room"
)

// TestManyFiles: however many files were sent, the newest have numbers, which stay theirs.
func TestManyFiles(t *testing.T) {
	r, _ := open(t)
	var d room.Delivered
	const count = maxSeenFiles + 10
	for i := range count {
		d = room.Delivered{ID: ake.Hash{1, byte(i), byte(i >> 8)}, Author: mAnn, Received: time.Now()}
		d.File = &room.FileInfo{Name: "x", Size: 1}
		r.files.note(&d)
		if d.File.Number != i+1 {
			t.Fatalf("file %d has number %d", i+1, d.File.Number)
		}
	}
	r.files.note(&d) // read back
	if f := r.files.at(count); d.File.Number != count || f == nil || f.id != d.ID {
		t.Errorf("the last one has number %d; it is %+v", d.File.Number, f)
	}
	r.fileChanged(room.FileChanged{ID: d.ID, FileInfo: room.FileInfo{Name: "x", State: room.FileHere}})
	if f := r.files.at(count); f.info.State != room.FileHere {
		t.Errorf("it is %s", f.info.State)
	}
	if r.files.at(1) != nil || len(r.files.all) > maxSeenFiles || len(r.files.number) != len(r.files.all) {
		t.Errorf("%d are kept, with %d numbers", len(r.files.all), len(r.files.number))
	}
}

// TestNotSaved: all who wait for a file are told that it cannot be fetched.
func TestNotSaved(t *testing.T) {
	r, face := open(t)
	id := ake.Hash{1}
	r.files.saving = map[ake.Hash][]toSave{
		id:  {{"/a", []any{"one"}}, {"/b", []any{"two"}}},
		{2}: {{"/a", []any{"another"}}},
	}
	r.notSaved(id, room.ErrFilesFull)
	told := make(map[any]int)
	for _, e := range face.events {
		if bad, ok := e.What.(NotDone); ok && errors.Is(bad.Err, room.ErrFilesFull) {
			told[e.For]++
		}
	}
	if len(told) != 2 || told["one"] != 1 || told["two"] != 1 {
		t.Errorf("told: %v", told)
	}
	if len(r.files.saving) != 1 {
		t.Errorf("%v wait", r.files.saving)
	}
}

// TestStopped: all who wait for a file that is not fetched any more are told, and nobody waits.
func TestStopped(t *testing.T) {
	r, face := open(t)
	id := ake.Hash{1}
	d := room.Delivered{ID: id, File: &room.FileInfo{Name: "talk.mp4", Size: 1}}
	r.files.note(&d)
	r.files.saving[id] = []toSave{{"/a", []any{"one"}}, {"/b", []any{"two"}}}
	r.fileChanged(room.FileChanged{ID: id, FileInfo: room.FileInfo{Name: "talk.mp4", State: room.FileFetching}})
	if len(r.files.saving[id]) != 2 {
		t.Fatal("who waits is forgotten")
	}
	r.fileChanged(room.FileChanged{ID: id, FileInfo: room.FileInfo{Name: "talk.mp4", State: room.FileThere}})
	told := make(map[any]int)
	for _, e := range face.events {
		if bad, ok := e.What.(NotDone); ok && bad.Err.Code == "file-stopped" {
			told[e.For]++
		}
	}
	if len(told) != 2 || told["one"] != 1 || told["two"] != 1 || len(r.files.saving) > 0 {
		t.Errorf("told: %v; %v wait", told, r.files.saving)
	}
}

// TestSavedOnce: however often a file is asked for at one path, it waits to be saved there once,
// and the last who asked are told, each once; who stops that is not.
func TestSavedOnce(t *testing.T) {
	r, face := open(t)
	id := ake.Hash{1}
	for i := range 2 * maxAsking {
		for range 2 {
			if !r.files.wait(id, toSave{"/a/", []any{i}}) {
				t.Fatalf("it is refused at %d", i)
			}
		}
	}
	if all := r.files.saving[id]; len(all) != 1 || len(all[0].by) != maxAsking || all[0].by[0] != maxAsking {
		t.Fatalf("%v wait", all)
	}
	Stop{ID: id}.do(visit{r, maxAsking})
	r.notSaved(id, room.ErrFilesFull)
	told := make(map[any]int)
	for _, e := range face.events {
		if bad, ok := e.What.(NotDone); ok && errors.Is(bad.Err, room.ErrFilesFull) {
			told[e.For]++
		}
	}
	if len(told) != maxAsking-1 || told[maxAsking] != 0 || told[maxAsking+1] != 1 {
		t.Errorf("told: %v", told)
	}
}

// TestNoFolder: what cannot be saved is refused before it is fetched, with the folder's name.
func TestNoFolder(t *testing.T) {
	r, _ := open(t)
	folder := filepath.Join(t.TempDir(), "nosuch")
	_, err := r.save(Save{ID: ake.Hash{1}, Path: folder + "/"})
	if want := "cannot save in " + folder + ": no such file or directory"; err == nil || saveError(err).Text != want {
		t.Errorf("%v", err)
	}
}
