package main

// demoRoom leaves the stage to the user: ann and prof answer what he types.
func (a *app) demoRoom(st *stage, out demoOut) error { return nil }
