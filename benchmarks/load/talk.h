/* How clients talk, for those who add to what they do (workloads.c). */
#ifndef TALK_H
#define TALK_H
#include "load.h"

extern struct talk {
    int window;         /* how much may be open at once */
    double until;       /* when to say no more */
    long said, heard;   /* events; what was heard of them */
    int audience;       /* how many hear each */
    void (*speak)(void);
} talk;

bool may_speak(void);
void pump(int milliseconds);
void join_clients(int n);
result converse(int audience, void (*speak)(void));

void say(client *, long n, const char *format, ...);
bool is(const char *text, size_t n, const char *event);
long read_body(client *, const char *text, size_t n, size_t at, long expected);

void expect_answers(client *, int n);
void ask(client *);
void take_answer(client *, long id, const char *text, size_t n);

result fanout_from(int listener);
result fairness(void);
result flood(void);
result relay(void);
result calm(void);
#endif
