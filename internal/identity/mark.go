package identity

// ofMark is the tag of what is neither of a person nor of a cohort.
const ofMark = 'm'

// Mark is 32 hexadecimal digits that only who has the secret can make of these
// texts: it shows that Andmerada itself wrote what bears it, on a topic that
// others may write to as well. what keeps marks of one use from serving another.
func (k *Keys) Mark(controller, what, text string) (string, error) {
	c, err := k.controller(controller)
	if err != nil {
		return "", err
	}
	return c.sum(ofMark, what, text).String(), nil
}
