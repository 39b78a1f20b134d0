package cli

// NoCore does nothing: Windows writes no core files unless it is set up to.
func NoCore() {}
