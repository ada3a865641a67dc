// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestServeFlagsSaid: what is wrong with a flag of serve is said of that flag, before anything listens.
func TestServeFlagsSaid(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward serve --burst -1
		! ^keyward: --rate and --burst: numbers above zero\n$
		? 2
		$ keyward serve --rate 0
		! ^keyward: --rate and --burst: numbers above zero\n$
		? 2
		$ keyward serve --rate NaN
		! ^keyward: --rate and --burst: numbers above zero\n$
		? 2
		$ keyward serve --host vault.example.com --host http://foo
		! ^keyward: --host: number 2: a lower-case name or an address, without scheme and port, as vault.example.com\n$
		? 2
		$ keyward serve --origin foo
		! ^keyward: --origin: number 1: scheme and host, as https://console.example.com\n$
		? 2
		$ keyward serve --proxy foo
		! ^keyward: --proxy: a network, as 10.0.0.0/8\n$
		? 2
		$ keyward serve --listen 0.0.0.0:7423
		! can be reached from outside: give a certificate
		? 2
	`)
}
