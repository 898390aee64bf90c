// The application: it answers every HTTP request with the request itself, in the words of jmalloc/echo-server.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"time"
)

// What one client may take: a slow one is hung up on, and one that sends too much is told so (431, 413).
const (
	headersWithin  = 5 * time.Second
	requestWithin  = 30 * time.Second
	idleFor        = 60 * time.Second
	largestHeaders = 64 << 10
	largestBody    = 1 << 20
)

func headers(request *http.Request) []string {
	lines := []string{}
	for name, values := range request.Header {
		for _, value := range values {
			lines = append(lines, name+": "+value)
		}
	}
	sort.Strings(lines)
	return append([]string{"Host: " + request.Host}, lines...)
}

func echo(answer http.ResponseWriter, request *http.Request) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	log.Printf("%s | %s %s", request.RemoteAddr, request.Method, request.URL)
	body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, largestBody))
	if err != nil {
		log.Printf("%s | body: %v", request.RemoteAddr, err)
		http.Error(answer, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	answer.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(answer, "Request served by %s\n\n%s %s %s\n\n", host, request.Method, request.URL, request.Proto)
	for _, line := range headers(request) {
		fmt.Fprintln(answer, line)
	}
	fmt.Fprintln(answer)
	if _, err := answer.Write(body); err != nil {
		log.Printf("%s | answer: %v", request.RemoteAddr, err)
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{
		Addr:              ":" + port,
		Handler:           http.HandlerFunc(echo),
		ReadHeaderTimeout: headersWithin,
		ReadTimeout:       requestWithin,
		WriteTimeout:      requestWithin,
		IdleTimeout:       idleFor,
		MaxHeaderBytes:    largestHeaders,
	}
	log.Printf("Echo server listening on port %s.", port)
	log.Fatal(server.ListenAndServe())
}
