package cli

import "strings"

// Agree asks a question on the terminal to which most people say yes. Anything
// but n or no is yes. Without a terminal the error's code is no-terminal and its
// hint is otherwise.
func Agree(question, otherwise string) (bool, error) {
	answer, err := ask(question+" [Y/n]", otherwise, "an answer is needed", nil)
	if err != nil {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer != "n" && answer != "no", nil
}
