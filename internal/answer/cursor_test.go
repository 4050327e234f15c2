package answer

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/frugaltest"
	"github.com/andmerada/andmerada/internal/trail"
)

// FuzzCursor holds that a cursor is a place that the trail can have, or a fault
// that the caller is told.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"1700000000000.3.17.andmerada.events", "-1.0.0.t", "9223372036854775807.0.0.t", "1.2.3", "1.-2.3.t", "1.2.-3.t", "", "\xff.1.1.\x00"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	f.Add("=")
	f.Add(strings.Repeat("A", 1<<20))
	f.Fuzz(func(t *testing.T, s string) {
		var place *trail.Place
		var err error
		frugaltest.Run(t, len(s), 20, 64<<10, func() { place, err = parseCursor(s) })
		var fault *Fault
		switch {
		case err != nil:
			if !errors.As(err, &fault) || place != nil {
				t.Errorf("%v, %v", place, err)
			}
		case s == "":
		case place.Partition < 0 || place.Offset < 0 || place.Topic == "":
			t.Errorf("%+v", place)
		case place.Time.Year() < 1900 || place.Time.Year() > 2299: // what the trail's column holds
			t.Errorf("%s", place.Time)
		}
	})
}
