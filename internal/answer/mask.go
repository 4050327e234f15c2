package answer

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

const maskPrefix = "actor-"

// Mask stands for an actor's id in answers: who of a controller's employees
// acted is told only on a reason that is kept (CJEU C-579/21). It is the same
// for the same actor of the same controller, so that acts can be held together.
func (d *Deps) Mask(controller, actor string) string {
	if actor == "" || strings.HasPrefix(actor, "person-") {
		return actor // nobody, or a pseudonym already
	}
	p, err := d.Keys.Pseudonym(controller, "actor", actor)
	if err != nil {
		return maskPrefix + "unknown"
	}
	return maskPrefix + p.String()[:12]
}

var maskForm = regexp.MustCompile(`^` + maskPrefix + `[0-9a-f]{12}$`)

// byID says whether an actor is named by id, and not by mask or pseudonym.
func byID(actor string) bool {
	return !maskForm.MatchString(actor) && actor != "" && !strings.HasPrefix(actor, "person-")
}

// NamesActors says whether some actors are named by id. Who is given the answer
// learns which mask stands for whom, or could: it needs what a reveal needs.
func (r *ActsRequest) NamesActors() bool { return slices.ContainsFunc(r.Actors, byID) }

// NamesActors says whether some actors are named by id; see
// [ActsRequest.NamesActors].
func (r *BreachRequest) NamesActors() bool {
	return slices.ContainsFunc(r.Windows, func(w Window) bool { return w.NamesActors() })
}

// NamesActors says whether some actors are named by id; see
// [ActsRequest.NamesActors].
func (q *Question) NamesActors() bool {
	return q.Access != nil && q.Access.NamesActors() || q.Breach != nil && q.Breach.NamesActors()
}

// noActor is an id that no event has.
const noActor = "\x00"

// unmask finds in the trail whom masks stand for, and leaves ids as they are.
func (d *Deps) unmask(ctx context.Context, s *selection) error {
	masks := slices.DeleteFunc(slices.Clone(s.acts.Actors), func(a string) bool { return !maskForm.MatchString(a) })
	if len(masks) == 0 {
		return nil
	}
	ids, whole, err := d.Trail.ActorsIn(ctx, s.acts)
	if err != nil {
		return err
	}
	if !whole {
		return &Fault{"/actors", "too many acted in that time to find out whom the masks stand for", "ask for a shorter time"}
	}
	s.acts.Actors = slices.DeleteFunc(slices.Clone(s.acts.Actors), maskForm.MatchString)
	for _, id := range ids {
		if slices.Contains(masks, d.Mask(s.acts.Controller, id)) {
			s.acts.Actors = append(s.acts.Actors, id)
		}
	}
	if len(s.acts.Actors) == 0 {
		s.acts.Actors = []string{noActor}
	}
	return nil
}
