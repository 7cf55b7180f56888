// Reads Kubernetes manifests and says what an API server would not take, without one.
//
//	manifests [--unknown GROUP/VERSION]... FILE...
//
// Every object is decoded into the Go type of its kind (Kubernetes, cert-manager, Prometheus Operator), strictly: a
// field that the type does not have, a value of another type and a key that stands twice are faults. Every pod, and
// every pod template, is judged by the restricted Pod Security Standard, by the code that judges it in a cluster. A
// kind without a Go type here is a fault, unless its group and version are named by --unknown.
//
// Prints a line for each fault, then one with figures. Exit code 1 with a fault, 2 on wrong usage.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// Checker counts what it has seen.
type Checker struct {
	decoder   runtime.Decoder
	evaluator policy.Evaluator
	unknown   map[string]bool

	objects, pods, skipped, faults int
}

func newChecker() (*Checker, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetes.AddToScheme, certmanager.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	options := json.SerializerOptions{Yaml: true, Strict: true}
	return &Checker{
		decoder:   json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, options),
		evaluator: evaluator,
		unknown:   map[string]bool{},
	}, nil
}

func (c *Checker) fault(file string, format string, arguments ...any) {
	c.faults++
	fmt.Printf("%s: %s\n", file, fmt.Sprintf(format, arguments...))
}

// file checks every document of a file.
func (c *Checker) file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(file))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.document(name, document)
	}
}

func (c *Checker) document(file string, document []byte) {
	var head struct {
		meta.TypeMeta   `json:",inline"`
		meta.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		c.fault(file, "this is no YAML: %v", err)
		return
	}
	if head.Kind == "" && head.APIVersion == "" {
		var anything any
		if yaml.Unmarshal(document, &anything) != nil || anything != nil {
			c.fault(file, "a document has neither kind nor apiVersion")
		}
		return // Nothing but comments.
	}
	name := fmt.Sprintf("%s %s", head.Kind, head.Name)
	if c.unknown[head.APIVersion] {
		c.skipped++
		return
	}
	c.objects++
	object, _, err := c.decoder.Decode(document, nil, nil)
	if err != nil {
		c.fault(file, "%s: %v", name, err)
		return
	}
	if pod, spec := podOf(object); spec != nil {
		c.pods++
		level := security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()}
		for _, result := range c.evaluator.EvaluatePod(level, pod, spec) {
			if !result.Allowed {
				c.fault(file, "%s: not restricted: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
}

// podOf gives the pod that an object is or makes; nil for none.
func podOf(object runtime.Object) (*meta.ObjectMeta, *core.PodSpec) {
	switch typed := object.(type) {
	case *core.Pod:
		return &typed.ObjectMeta, &typed.Spec
	case *apps.Deployment:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *apps.StatefulSet:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *apps.DaemonSet:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *batch.Job:
		return &typed.Spec.Template.ObjectMeta, &typed.Spec.Template.Spec
	case *batch.CronJob:
		return &typed.Spec.JobTemplate.Spec.Template.ObjectMeta, &typed.Spec.JobTemplate.Spec.Template.Spec
	}
	return nil, nil
}

func main() {
	checker, err := newChecker()
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(2)
	}
	var files []string
	for arguments := os.Args[1:]; len(arguments) > 0; arguments = arguments[1:] {
		if arguments[0] == "--unknown" && len(arguments) > 1 {
			checker.unknown[arguments[1]] = true
			arguments = arguments[1:]
			continue
		}
		files = append(files, arguments[0])
	}
	if len(files) == 0 {
		fmt.Fprintln(os.Stderr, "usage: manifests [--unknown GROUP/VERSION]... FILE...")
		os.Exit(2)
	}
	for _, file := range files {
		if err := checker.file(file); err != nil {
			checker.fault(file, "%v", err)
		}
	}
	fmt.Printf("%d objects, %d pods, %d of unknown kinds skipped, %d faults\n", checker.objects, checker.pods,
		checker.skipped, checker.faults)
	if checker.faults > 0 {
		os.Exit(1)
	}
}
