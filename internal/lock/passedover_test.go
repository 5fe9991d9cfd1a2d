package lock

import "testing"

// TestReleasesWithoutUsableWheelsAreNotPassedOver has newer releases whose only wheels are for
// another system, as deepspeed publishes them.
func TestReleasesWithoutUsableWheelsAreNotPassedOver(t *testing.T) {
	offers := []Offer{
		{File: "deepspeed-0.3.1.dev5-py3-none-any.whl", Version: "0.3.1.dev5"},
		{File: "deepspeed-0.17.5.tar.gz", Version: "0.17.5"},
		{File: "deepspeed-0.17.5-cp311-cp311-win_amd64.whl", Version: "0.17.5"},
		{File: "deepspeed-0.17.6.tar.gz", Version: "0.17.6"},
	}
	usable := func(file string) bool { return Best([]Wheel{{File: file}}, "3.11", "linux-x86_64") >= 0 }
	if !passedOver(offers, Requirement{Name: "deepspeed"}, "0.3.1.dev5", "3.11", usable) {
		t.Error("an old pre-release is chosen silently")
	}
	offers = append(offers, Offer{File: "deepspeed-0.17.6-py3-none-any.whl", Version: "0.17.6"})
	if passedOver(offers, Requirement{Name: "deepspeed"}, "0.3.1.dev5", "3.11", usable) {
		t.Error("a newer release has a wheel")
	}
}
