package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// archive puts files into a zip, by name. There is one way to do it: nothing is
// compressed, and no time or owner is in it.
func archive(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		to, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
			CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
			CreatorVersion: 3<<8 | 20, ExternalAttrs: 0o100644 << 16, // a plain file, of Unix
			ModifiedDate: 1<<5 | 1, //nolint:staticcheck // 1 January 1980, the first that there is: CreateRaw does not look at Modified
		})
		if err == nil {
			_, err = to.Write(data)
		}
		if err != nil {
			return nil, fmt.Errorf("put %s into the bundle: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("close the bundle: %w", err)
	}
	if b.Len() > MaxSize {
		return nil, fmt.Errorf("the bundle has %d bytes, more than %d", b.Len(), MaxSize)
	}
	return b.Bytes(), nil
}

// unarchive takes the files out of a zip that archive could have made. A fault
// says in which file it is, as far as that can be told; the files that could be
// read come with it.
func unarchive(data []byte) (map[string][]byte, *Problem) {
	if len(data) > MaxSize {
		return nil, &Problem{"", fmt.Sprintf("the bundle has %d bytes, more than %d", len(data), MaxSize)}
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, &Problem{"", "this is no zip file that can be read: " + err.Error()}
	}
	if len(r.File) > maxFiles {
		return nil, &Problem{"", fmt.Sprintf("there are %d files in it, more than %d", len(r.File), maxFiles)}
	}
	files := make(map[string][]byte, len(r.File))
	folded := make(map[string]bool, len(r.File))
	var total uint64
	for _, f := range r.File {
		name := strings.ToValidUTF8(f.Name, "?")
		shown := name[:min(len(name), maxName)]
		switch lower := strings.ToLower(name); {
		case len(f.Name) > maxName || !fs.ValidPath(f.Name) || f.Name == "." || strings.ContainsAny(f.Name, "\\:\x00"):
			return nil, &Problem{shown, "this is no name that a file of a bundle can have"}
		case folded[lower]:
			return nil, &Problem{shown, "there are two files of this name"}
		case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
			return nil, &Problem{shown, "the file is compressed: those of a bundle are not"}
		case f.UncompressedSize64 > uint64(len(data)):
			return nil, &Problem{shown, "the file is said to be larger than the bundle"}
		default:
			folded[lower] = true
		}
		if total += f.UncompressedSize64; total > uint64(len(data)) {
			return nil, &Problem{shown, "the files are said to be larger than the bundle"}
		}
		from, err := f.Open()
		if err != nil {
			return nil, &Problem{shown, "the file cannot be read: " + err.Error()}
		}
		text := make([]byte, f.UncompressedSize64)
		_, err = io.ReadFull(from, text)
		if err == nil {
			_, err = from.Read(make([]byte, 1)) // the checksum is looked at where the file ends
		}
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, zip.ErrChecksum) {
				return nil, &Problem{shown, "the file was changed: its checksum is another"}
			}
			return nil, &Problem{shown, "the file cannot be read: " + err.Error()}
		}
		if closed := from.Close(); closed != nil {
			return nil, &Problem{shown, "the file cannot be read: " + closed.Error()}
		}
		files[f.Name] = text
	}
	// There is one way to put these files into a zip: whatever else is in it, before,
	// between or after them, was put there by somebody.
	again, err := archive(files)
	if err != nil {
		return nil, &Problem{"", err.Error()}
	}
	if !bytes.Equal(again, data) {
		return files, &Problem{"", "the zip itself was changed: something is in it that is part of no file"}
	}
	return files, nil
}
