/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's crash handler runs when a task faults: nearpool's workers leave the signals of a crash unblocked and never
 * handle them. Each crash happens in a child of its own; its handler writes a line and ends the process with a status
 * that the parent knows.
 */
#define _GNU_SOURCE
#include <nearpool/nearpool.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDLED 42

static void *bad_page; /* mapped without access */

/* Only calls that a signal handler may make. */
static void handle_crash(int signal_number, siginfo_t *info, void *context) {
    char line[64] = "handler: ";
    (void)context;
    prctl(PR_GET_NAME, line + strlen(line));
    strcat(line, signal_number == SIGSEGV && info->si_addr == bad_page ? " at the bad page\n" : "\n");
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(1);
    _exit(HANDLED);
}

static near_status crash(void *data) {
    int signal_number = *(const int *)data;
    if (signal_number == SIGSEGV)
        *(volatile char *)bad_page = 1;
    else
        raise(signal_number);
    return NEAR_OK;
}

static void child(int signal_number) {
    struct sigaction action = {.sa_sigaction = handle_crash, .sa_flags = SA_SIGINFO};
    near_error why = {.struct_size = sizeof why};
    numa_pool *pool = NULL;
    sigaction(signal_number, &action, NULL);
    if (numa_pool_create(NULL, &pool, &why) != NEAR_OK) {
        fprintf(stderr, "%s\n", why.message);
        _exit(1);
    }
    near_status status = numa_pool_submit(pool, near_topology_node_at(NULL, 0), crash, &signal_number);
    if (status == NEAR_OK)
        status = numa_pool_wait_idle(pool, NEAR_FOREVER, NULL);
    fprintf(stderr, "the task did not end the process: %s\n", near_status_text(status));
    _exit(1);
}

/* Runs the child and keeps what its handler wrote. */
static int status_of_child(int signal_number, char *text, size_t size) {
    int ends[2];
    int status = 0;
    if (pipe(ends) != 0)
        return -1;
    pid_t process = fork();
    if (process == 0) {
        dup2(ends[1], STDOUT_FILENO);
        child(signal_number);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    return process > 0 && waitpid(process, &status, 0) == process ? status : -1;
}

static bool handler_ran(int signal_number) {
    char text[128];
    int status = status_of_child(signal_number, text, sizeof text);
    const char *wanted = signal_number == SIGSEGV ? " at the bad page" : "";
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == HANDLED && strstr(text, "handler: numa-w") == text &&
                strstr(text, wanted) != NULL;
    printf("%s: %s, %s%s", strsignal(signal_number), good ? "handled" : "NOT handled on a worker", text,
           text[0] != '\0' ? "" : "nothing was written\n");
    return good;
}

int main(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    bool good = true;
    bad_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bad_page == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    setbuf(stdout, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        good = handler_ran(signals[i]) && good;
    return good ? 0 : 1;
}
