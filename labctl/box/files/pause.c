/* The container that holds a pod's namespaces: it sleeps, reaps what it inherits, and ends when told to. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int unused) { (void)unused; while (waitpid(-1, NULL, WNOHANG) > 0) {} }
static void end(int unused) { (void)unused; _exit(0); }

int main(void) {
    struct sigaction on_child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    struct sigaction on_end = {.sa_handler = end};
    if (sigaction(SIGCHLD, &on_child, NULL) || sigaction(SIGINT, &on_end, NULL) || sigaction(SIGTERM, &on_end, NULL))
        return 1;
    for (;;) pause();
}
