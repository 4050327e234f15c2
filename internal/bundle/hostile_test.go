package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// relist makes the manifest fit the files.
func relist(files map[string][]byte) error {
	var m map[string]any
	if err := json.Unmarshal(files[manifestFile], &m); err != nil {
		return err
	}
	var list []File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != manifestFile && name != signatureFile {
			sum := sha256.Sum256(files[name])
			list = append(list, File{name, int64(len(files[name])), hex.EncodeToString(sum[:])})
		}
	}
	m["files"] = list
	var err error
	files[manifestFile], err = json.Marshal(m)
	return err
}

// A zip that is made to harm does none, and is told apart.
func TestHostile(t *testing.T) {
	t.Parallel()
	zipOf := func(headers ...*zip.FileHeader) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, h := range headers {
			to, err := w.CreateHeader(h)
			if err == nil {
				_, err = to.Write(make([]byte, 1<<16))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	stored := func(name string) *zip.FileHeader { return &zip.FileHeader{Name: name, Method: zip.Store} }
	lying := func(size uint64) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		if _, err := w.CreateRaw(&zip.FileHeader{Name: "a", Method: zip.Store, CompressedSize64: size, UncompressedSize64: size}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var many []*zip.FileHeader
	for i := range maxFiles + 1 {
		many = append(many, stored(fmt.Sprint(i)))
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":      {nil, "no zip"},
		"a text":       {[]byte("PK not a zip"), "no zip"},
		"traversal":    {zipOf(stored("../../etc/passwd")), "no name"},
		"absolute":     {zipOf(stored("/etc/passwd")), "no name"},
		"backslash":    {zipOf(stored(`..\x`)), "no name"},
		"drive":        {zipOf(stored("c:x")), "no name"},
		"a directory":  {zipOf(stored("a"), stored("./b")), "no name"},
		"long name":    {zipOf(stored(strings.Repeat("a", maxName+1))), "no name"},
		"twice":        {zipOf(stored("a"), stored("a")), "two files"},
		"twice folded": {zipOf(stored("a"), stored("A")), "two files"},
		"a bomb":       {zipOf(&zip.FileHeader{Name: "a", Method: zip.Deflate}), "compressed"},
		"many":         {zipOf(many...), "files in it"},
		"it lies":      {lying(1 << 62), "larger than the bundle"},
		"it lies less": {lying(100), ""},
		"no manifest":  {zipOf(stored("a")), "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Check(c.data, nil)
			if r.OK || len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Says, c.says) {
				t.Errorf("%v, want %q", r.Problems, c.says)
			}
		})
	}
}

// small is a bundle without events, by hand.
func small(t testing.TB) []byte {
	t.Helper()
	m := &Manifest{Format: Format, Kind: "timeline", Registers: []Register{}, Missing: []string{}}
	files := map[string][]byte{
		readmeFile: []byte("x\n"), answerFile: []byte(`{"events":[]}`), eventsFile: {}, verdictsFile: {}, factsFile: {}, completenessFile: []byte(`{"complete":true}`),
	}
	var err error
	if files[manifestFile], err = json.Marshal(m); err == nil {
		err = relist(files)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := archive(files)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzCheck: no zip makes the checker fail, and none passes that archive did not
// make.
func FuzzCheck(f *testing.F) {
	good := small(f)
	if r := Check(good, nil); !r.OK {
		f.Fatal(r.Problems)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !Check(data, nil).OK {
			return
		}
		files, p := unarchive(data)
		if p != nil {
			t.Fatal(p)
		}
		if again, err := archive(files); err != nil || !bytes.Equal(again, data) {
			t.Errorf("it checks, and is not as archive makes it: %v", err)
		}
	})
}

// FuzzLines: no event, verdict, fact, answer or register makes the checker fail,
// however well its hashes fit.
func FuzzLines(f *testing.F) {
	f.Add("events.ndjson", `{"topic":"t","partition":0,"offset":1,"person_index":0,"of":1,"operation":"use","controller":""}`)
	f.Add("verdicts.ndjson", `{"topic":"t","partition":0,"offset":1,"person_index":0,"verdict":"allowed","stands":true}`)
	f.Add("facts.ndjson", `{"topic":"t","fact":"consent","value":{"consents":[]}}`)
	f.Add("answer.json", `{"events":[{"topic":"t"}],"recipients":[{}]}`)
	f.Add("completeness.json", `{"verified":[{"partitions":[{}]}]}`)
	f.Add("manifest.json", `{"format":"andmerada-bundle/1","kind":"breach","question":{"breach":{"windows":[{}]}}}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		files, p := unarchive(small(t))
		if p != nil {
			t.Fatal(p)
		}
		if _, ok := files[name]; !ok {
			return
		}
		for _, kind := range []string{"timeline", "recipients", "told", "access", "recipient", "breach"} {
			some := maps.Clone(files)
			some[name] = []byte(text)
			some[manifestFile] = bytes.Replace(some[manifestFile], []byte(`"kind":"timeline"`), []byte(`"kind":"`+kind+`"`), 1)
			if relist(some) != nil {
				return
			}
			data, err := archive(some)
			if err != nil {
				return
			}
			Check(data, nil)
		}
	})
}
