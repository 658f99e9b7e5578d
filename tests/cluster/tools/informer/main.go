// SPDX-License-Identifier: Apache-2.0

// informer KUBECONFIG NAMESPACE: a shared informer of client-go over WebSocketFunctions, while it
// creates, changes and deletes three of them. Each change is made when the one before it has been
// told; a line on standard output says what was told of which. Ends when all has gone.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

var functions = schema.GroupVersionResource{
	Group: "wsf.dev", Version: "v1alpha1", Resource: "websocketfunctions"}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "informer:", err)
		os.Exit(1)
	}
}

func function(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "wsf.dev/v1alpha1", "kind": "WebSocketFunction",
		"metadata": map[string]any{"name": name, "labels": map[string]any{"app": "informer"}},
		"spec":     map[string]any{"image": "a", "maxInstances": int64(0)},
	}}
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	fail(err)
	client, err := dynamic.NewForConfig(config)
	fail(err)
	namespace := os.Args[2]
	told := make(chan string, 100)
	tell := func(what string, object any) {
		if last, isLast := object.(cache.DeletedFinalStateUnknown); isLast {
			object = last.Obj
		}
		told <- what + " " + object.(*unstructured.Unstructured).GetName()
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace,
		func(options *meta.ListOptions) { options.LabelSelector = "app=informer" })
	informer := factory.ForResource(functions).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell("added", object) },
		UpdateFunc: func(_, object any) { tell("updated", object) },
		DeleteFunc: func(object any) { tell("deleted", object) },
	})
	fail(err)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	next := func() {
		select {
		case line := <-told:
			fmt.Println(line)
		case <-ctx.Done():
			fail(fmt.Errorf("nothing more was told within a minute"))
		}
	}
	of := client.Resource(functions).Namespace(namespace)
	_, err = of.Create(ctx, function("before"), meta.CreateOptions{})
	fail(err)
	factory.Start(ctx.Done())
	next()
	for _, name := range []string{"one", "two"} {
		made, err := of.Create(ctx, function(name), meta.CreateOptions{})
		fail(err)
		next()
		fail(unstructured.SetNestedField(made.Object, int64(600), "spec", "executionTimeoutSeconds"))
		_, err = of.Update(ctx, made, meta.UpdateOptions{})
		fail(err)
		next()
	}
	for _, name := range []string{"before", "one", "two"} {
		fail(of.Delete(ctx, name, meta.DeleteOptions{}))
		next()
	}
}
