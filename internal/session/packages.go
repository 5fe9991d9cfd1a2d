package session

import (
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// PackageSource returns where this machine gets the packages of an index of the manifest
// from, "" for the default one. The machine must not be a recorded one.
func (p *Project) PackageSource(index string) (*simpleindex.Source, error) {
	settings, err := p.Index()
	if err != nil {
		return nil, err
	}
	client, err := settings.Client()
	if err != nil {
		return nil, err
	}
	if index == "" {
		return simpleindex.New(simpleindex.Settings{
			URL: settings.URL, NoIndex: settings.NoIndex, FindLinks: settings.FindLinks, Client: client, Redactor: p.Config.Redactor,
		})
	}
	for _, x := range p.Manifest.Indexes {
		if x.Name == index {
			return simpleindex.New(simpleindex.Settings{URL: x.URL, Client: client, Redactor: p.Config.Redactor})
		}
	}
	return nil, fmt.Errorf("the manifest has no index %s", index)
}
