package drive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A Schema says which fields each event has: name to type, "?" behind the type
// for those that may be absent.
type Schema map[string]map[string]string

// ReadSchema reads a schema.
func ReadSchema(path string) (s Schema, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

// Check validates one line and returns its event.
func (s Schema) Check(line []byte) (string, error) {
	var o map[string]any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&o); err != nil {
		return "", err
	}
	event, _ := o["event"].(string)
	fields, ok := s[event]
	if !ok {
		return event, fmt.Errorf("no event %q in the schema", event)
	}
	for name, typ := range fields {
		v, has := o[name]
		typ, optional := strings.CutSuffix(typ, "?")
		switch {
		case !has && !optional:
			return event, fmt.Errorf("%s has no %s", event, name)
		case has && !isType(v, typ):
			return event, fmt.Errorf("%s: %s is no %s: %v", event, name, typ, v)
		}
	}
	for name := range o {
		if _, ok := fields[name]; !ok && name != "event" {
			return event, fmt.Errorf("%s has a field %q that the schema does not know", event, name)
		}
	}
	return event, nil
}

func isType(v any, typ string) bool {
	if rest, ok := strings.CutPrefix(typ, "["); ok {
		all, ok := v.([]any)
		for _, x := range all {
			ok = ok && isType(x, strings.TrimSuffix(rest, "]"))
		}
		return ok
	}
	text, isText := v.(string)
	switch typ {
	case "any":
		return true
	case "string":
		return isText
	case "bool":
		_, ok := v.(bool)
		return ok
	case "int":
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		i, err := n.Int64()
		return err == nil && i < 1<<53
	case "number":
		_, ok := v.(json.Number)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "peer":
		_, err := peer.Decode(text)
		return isText && err == nil
	case "id":
		return isText && len(text) == 64 && strings.ToLower(text) == text
	case "time":
		_, err := time.Parse("2006-01-02T15:04:05.000Z", text)
		return isText && err == nil
	case "date":
		_, err := time.Parse("2006-01-02", text)
		return isText && err == nil
	}
	for _, word := range strings.Split(typ, "|") {
		if word == text {
			return true
		}
	}
	return false
}
