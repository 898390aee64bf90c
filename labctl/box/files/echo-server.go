// The application: it answers every HTTP request with the request itself, in the words of jmalloc/echo-server.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
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
	answer.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(answer, "Request served by %s\n\n%s %s %s\n\n", host, request.Method, request.URL, request.Proto)
	for _, line := range headers(request) {
		fmt.Fprintln(answer, line)
	}
	fmt.Fprintln(answer)
	if _, err := io.Copy(answer, request.Body); err != nil {
		log.Printf("%s | body: %v", request.RemoteAddr, err)
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	log.Printf("Echo server listening on port %s.", port)
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(echo)))
}
