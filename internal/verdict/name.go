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
