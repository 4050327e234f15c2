package access

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/identity"
)

// Role is what someone is to the trail.
type Role string

// The roles.
const (
	Source    Role = "source"    // a system that emits events
	DPO       Role = "dpo"       // data protection officer (GDPR Art. 37 to 39)
	Responder Role = "responder" // to a breach (GDPR Art. 33, 34)
	Auditor   Role = "auditor"   // or a supervisory authority (GDPR Art. 58(1))
	Agent     Role = "agent"     // of a person, or that person: asks about that person only (GDPR Art. 15)
)

// Roles lists every role.
func Roles() []Role { return []Role{DPO, Responder, Auditor, Agent, Source} }

// ParseRole finds the role of that name.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", fmt.Errorf("there is no role %q; there are %v", name, Roles())
}

// Everyone among a principal's controllers stands for all of them.
const Everyone = "*"

// Grant is a role, and whose trail it may ask by it.
type Grant struct {
	Role        Role
	Controllers []string // by short name; Everyone for all
}

func (g *Grant) sees(controller string) bool {
	return slices.Contains(g.Controllers, Everyone) || controller != "" && slices.Contains(g.Controllers, controller)
}

// grants are several roles for the same controllers.
func grants(roles []Role, controllers []string) []Grant {
	all := make([]Grant, len(roles))
	for i, r := range roles {
		all[i] = Grant{r, controllers}
	}
	return all
}

// Principal is someone who asks: a person who has logged in, or a machine.
type Principal struct {
	ID      string // as the provider or the file of tokens says, or the user of the operating system; how the trail names the actor
	Name    string // to show to that person
	Machine bool
	Open    bool // nobody was asked who they are: the demo
	Grants  []Grant

	// Persons are whom an agent may ask about: by pseudonyms, which are each of
	// one controller.
	Persons []identity.Pseudonym
	// Self, if set, says that the principal is the person whose pseudonym at a
	// controller it gives. The trail then names the actor by that pseudonym.
	Self func(controller string) (identity.Pseudonym, error)

	session string // id of the session, where there is one
}

// Sees says whether the controller is one that the principal may ask anything
// about.
func (p *Principal) Sees(controller string) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.sees(controller) })
}

// Shown is who the principal is, to show to that person.
func (p *Principal) Shown() string {
	var roles []Role
	for _, g := range p.Grants {
		if !slices.Contains(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	return cmp.Or(p.Name, p.ID) + " (" + cmp.Or(roleList(roles), "no role") + ")"
}

// Scope is what a question is about.
type Scope struct {
	Controller string             // "" = all of them
	Person     identity.Pseudonym // zero = none in particular
}

// Errors of whoever may not ask.
var (
	// ErrNobody says that it is not known who asks: no token, no session, or one
	// that is not or no longer good. It never says which.
	ErrNobody = errors.New("it is not known who asks")
	// ErrDenied is in every error of [Allow].
	ErrDenied = errors.New("this may not be asked")
)

// Denied says what a principal lacks.
type Denied struct {
	Lacks string
	Mend  string
}

// Error is what is lacking and how to mend it.
func (d *Denied) Error() string { return d.Lacks + ": " + d.Mend }

// Unwrap is ErrDenied.
func (d *Denied) Unwrap() error { return ErrDenied }

// Allow says by which of its roles the principal may ask the question; an error
// is a *[Denied]. It does not say whether there is such a controller or person.
func Allow(p *Principal, q Question, about Scope) (Role, error) {
	line, ok := q.line()
	if !ok {
		return "", &Denied{fmt.Sprintf("nobody may ask %q", q), "it does not stand in the table of questions"}
	}
	if p == nil {
		return "", ErrNobody
	}
	var elsewhere []string // controllers that it could ask about
	couldSelf := false     // a role that could, for another person
	for _, role := range line.Roles {
		for i := range p.Grants {
			switch g := &p.Grants[i]; {
			case g.Role != role:
			case !g.sees(about.Controller):
				elsewhere = append(elsewhere, g.Controllers...)
			case role == Agent && line.Person && !p.mayAskAbout(about):
				couldSelf = true
			default:
				return role, nil
			}
		}
	}
	switch {
	case couldSelf:
		return "", &Denied{"as the agent of a person you may ask about that person only", "ask by the identifier that you were let in with"}
	case elsewhere != nil:
		return "", notTheirs(about, elsewhere)
	default:
		return "", &Denied{fmt.Sprintf("the question %q is for %s only", q, roleList(line.Roles)), "ask whoever gives out the roles"}
	}
}

// Controllers are those of whom the principal may ask the question; Everyone
// among them stands for all.
func (p *Principal) Controllers(q Question) (all []string) {
	line, _ := q.line()
	for _, g := range p.Grants {
		if slices.Contains(line.Roles, g.Role) {
			all = append(all, g.Controllers...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *Principal) mayAskAbout(about Scope) bool {
	if about.Person.IsZero() {
		return false
	}
	if p.Self != nil {
		own, err := p.Self(about.Controller)
		if err == nil && own == about.Person {
			return true
		}
	}
	return slices.Contains(p.Persons, about.Person)
}

// notTheirs does not repeat what was asked for, which may be an identifier in
// the wrong place, nor say whether there is such a controller.
func notTheirs(about Scope, theirs []string) error {
	slices.Sort(theirs)
	mend := "ask for " + strings.Join(slices.Compact(theirs), " or ")
	if about.Controller == "" {
		return &Denied{"you may not ask about all controllers at once", mend}
	}
	return &Denied{"this controller is not among those you may ask about", mend}
}

func roleList(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
