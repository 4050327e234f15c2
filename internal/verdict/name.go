package verdict

// General names a general rule, for those who read verdicts that it decided;
// ok is false where the id is of none.
func General(id string) (title, says string, ok bool) {
	if id == NotInForce {
		return "No register in force", "The controller had not declared anything at the time: there is no promise to hold the event against.", true
	}
	for i := range generalRules {
		if generalRules[i].ID == id {
			return generalRules[i].Title, generalRules[i].Says, true
		}
	}
	return "", "", false
}

// GeneralRules lists the ids of the rules that hold for every register, that of
// no register being in force among them.
func GeneralRules() []string {
	all := []string{NotInForce}
	for i := range generalRules {
		all = append(all, generalRules[i].ID)
	}
	return all
}
