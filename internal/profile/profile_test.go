package profile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	profiles "github.com/andmerada/andmerada/deploy/profiles"
	"github.com/andmerada/andmerada/internal/profile"
)

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	set, err := profile.Load(profiles.FS)
	if err != nil {
		t.Fatal(err)
	}
	for controller, of := range map[[2]string]string{{"elektrum", "EE"}: "ee", {"hamina", "FI"}: "fi", {"enefit", "EE"}: "lv", {"other", "LV"}: "lv", {"other", "DE"}: "none"} {
		if p := set.For(controller[0], controller[1]); p.ID != of {
			t.Errorf("%v: profile %s, want %s", controller, p.ID, of)
		}
	}
	if p := set.For("x", "FI"); !p.ToTheDay() {
		t.Error("in Finland times are told to the day")
	}
	for _, p := range set.All() {
		for _, w := range p.Withheld {
			for _, language := range []string{"en", "et", "lv", "fi", "ru"} {
				if w.In(language) == "" || language != "en" && w.In(language) == w.In("en") {
					t.Errorf("%s: %s says nothing in %q", p.ID, w.ID, language)
				}
			}
		}
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	w := &profile.Withheld{
		Authorities: []profile.Authority{{Name: "Valsts polic"}, {Code: "900"}}, Recipients: []string{"c/police"}, Purposes: []string{"c/covert"}, Unnamed: true,
	}
	for name, x := range map[string]struct {
		act  profile.Act
		want bool
	}{
		"by name":               {profile.Act{Names: []string{"VALSTS  POLICIJA"}}, true},
		"in another case":       {profile.Act{Names: []string{"", "Valsts policijas Rīgas pārvalde"}}, true},
		"by code":               {profile.Act{Codes: []string{"900"}}, true},
		"by id":                 {profile.Act{IDs: []string{"c/police"}, Named: true, Authority: true}, true},
		"by purpose":            {profile.Act{Purpose: "c/covert"}, true},
		"an authority unnamed":  {profile.Act{Authority: true}, true},
		"another authority":     {profile.Act{Authority: true, Named: true, Names: []string{"Rīgas dome"}}, false},
		"a company":             {profile.Act{Names: []string{"Latvijas Pasts"}, Codes: []string{"9001"}, IDs: []string{"c/post"}, Purpose: "c/bills"}, false},
		"nobody":                {profile.Act{}, false},
		"nobody, empty strings": {profile.Act{Names: []string{""}, Codes: []string{""}, IDs: []string{""}}, false},
	} {
		if got := w.Covers(&x.act); got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

func TestLiftedAndSince(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*3600)
	w := &profile.Withheld{Lifted: []profile.Lifted{{"A", "2026-05-01"}, {"B", "2026-05-02"}}}
	if got := w.LiftedAt(time.Date(2026, 5, 1, 22, 30, 0, 0, time.UTC), zone); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("after midnight of the zone: %q", got)
	}
	if got := w.LiftedAt(time.Date(2026, 5, 1, 21, 30, 0, 0, time.UTC), zone); !slices.Equal(got, []string{"A"}) {
		t.Errorf("before midnight of the zone: %q", got)
	}
	if got := (&profile.Window{Years: 2}).Since(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), zone); !got.Equal(time.Date(2024, 5, 1, 0, 0, 0, 0, zone)) {
		t.Errorf("two years before: %v", got)
	}
}

const good = `andmerada: profile/v1
id: lv
name: Latvia
country: LV
times: {precision: day, ground: G, says: {en: x}}
recipients: {years: 2, ground: G, says: {en: x}}
withhold:
  - {id: police, ground: G, says: {en: x}, authorities: [{name: police}], lifted: [{reference: R, from: 2026-05-01}]}
`

func TestFaults(t *testing.T) {
	t.Parallel()
	if _, err := profile.Load(fstest.MapFS{"lv.yaml": {Data: []byte(good)}}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ old, put, want string }{
		{"profile/v1", "register/v1", "lv.yaml: andmerada: is not profile/v1"},
		{"id: lv", "id: ee", "lv.yaml: id: is not the name of the file"},
		{"country: LV", "country: Latvia", "lv.yaml: country: is not two capital letters"},
		{"precision: day", "precision: hour", "lv.yaml: times.precision"},
		{"years: 2", "years: 0", "lv.yaml: recipients.years"},
		{"ground: G, says: {en: x}, authorities", "says: {en: x}, authorities", "lv.yaml: withhold[0].ground: is missing"},
		{"ground: G, says: {en: x}, authorities", "ground: G, says: {lv: x}, authorities", "lv.yaml: withhold[0].says.en: is missing"},
		{"authorities: [{name: police}], ", "", "lv.yaml: withhold[0]: withholds nothing"},
		{"name: police", "name: po", "lv.yaml: withhold[0].authorities[0].name"},
		{"from: 2026-05-01", "from: May", "lv.yaml: withhold[0].lifted[0].from"},
		{"authorities:", "autorities:", "autorities"},
		{"authorities:", "recipients: [police], authorities:", `"police" is no id with its controller`},
	} {
		text := strings.Replace(good, x.old, x.put, 1)
		if text == good {
			t.Fatalf("%q is not in the profile", x.old)
		}
		_, err := profile.Load(fstest.MapFS{"lv.yaml": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want one with %q", x.put, err, x.want)
		}
	}
	twice := fstest.MapFS{"lv.yaml": {Data: []byte(good)}, "lx.yaml": {Data: []byte(strings.Replace(good, "id: lv", "id: lx", 1))}}
	if _, err := profile.Load(twice); err == nil || !strings.Contains(err.Error(), "lx.yaml: country: is that of lv.yaml, too") {
		t.Errorf("two profiles of a country: %v", err)
	}
	if _, err := profile.Load(fstest.MapFS{}); err == nil {
		t.Error("a directory without profiles loads")
	}
}
