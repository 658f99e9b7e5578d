// SPDX-License-Identifier: Apache-2.0

// gorilla/websocket from both sides: `gorilla serve` echoes on port 9000, `gorilla URL` talks to one.
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

func serve() error {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	return http.ListenAndServe("0.0.0.0:9000", http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			conn, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			for {
				kind, message, err := conn.ReadMessage()
				if err != nil || conn.WriteMessage(kind, message) != nil {
					return
				}
			}
		}))
}

func talk(url string) error {
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, message := range [][]byte{[]byte("hello"), bytes.Repeat([]byte("x"), 200000), {}} {
		if err := conn.WriteMessage(websocket.BinaryMessage, message); err != nil {
			return err
		}
		_, answer, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if !bytes.Equal(answer, message) {
			return fmt.Errorf("%d bytes came back as %d", len(message), len(answer))
		}
	}
	normal := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := conn.WriteMessage(websocket.CloseMessage, normal); err != nil {
		return err
	}
	if _, _, err = conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return fmt.Errorf("not closed normally: %w", err)
	}
	fmt.Println("talked")
	return nil
}

func main() {
	run := func() error { return talk(os.Args[1]) }
	if os.Args[1] == "serve" {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
