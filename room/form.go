package room

import "coterie/room/record"

// WellFormed reports whether a publication has the form of one. It is all that a
// relay can check: signatures are over the room's id, which it does not know
// (PROTOCOL.md §10.2).
func WellFormed(data []byte) bool {
	if len(data) == 0 || len(data) > record.MaxPublication {
		return false
	}
	var err error
	switch body := data[1:]; data[0] {
	case record.TypePresence:
		var p *record.Presence
		if p, err = record.ParsePresence(body); err == nil {
			return p.Last()
		}
	case record.TypeCommit:
		_, err = record.ParseCommit(body)
	case record.TypeJoin:
		_, err = record.ParseJoin(body)
	case record.TypeMessage:
		_, err = record.ParseMessage(body)
	default:
		return false
	}
	return err == nil
}
