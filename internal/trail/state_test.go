package trail

import (
	"errors"
	"testing"
)

func TestState(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	disks, err := db.Disks(t.Context())
	if err != nil || len(disks) == 0 || disks[0].Total == 0 || disks[0].Free > disks[0].Total {
		t.Errorf("disks %+v, err = %v", disks, err)
	}
	if err := db.conn().Exec(t.Context(), "INSERT INTO schema_version SELECT 1000, 'later', 'x', now64(3)"); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context()); !errors.Is(err, ErrSchema) {
		t.Errorf("a later schema: err = %v", err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	var steps []string
	ctx := Watch(t.Context(), func(s Step) {
		if s.Err != nil || s.Took < 0 || s.Began.IsZero() {
			t.Errorf("%+v", s)
		}
		steps = append(steps, s.Name+" "+s.Table)
	})
	if _, _, err := db.Position(ctx, "events", 0); err != nil {
		t.Fatal(err)
	}
	if len(steps) != 1 || steps[0] != "journal journal" {
		t.Errorf("steps %q", steps)
	}
	var failed Step
	if _, err := db.tables.count(Watch(t.Context(), func(s Step) { failed = s }), "no such table", Range{}); err == nil || failed.Err == nil || failed.Name != "probe" {
		t.Errorf("err = %v, told %+v", err, failed)
	}
}
