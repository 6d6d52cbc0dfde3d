// Threads of a Team exchange plain numbers across its barriers. Compiled with ThreadSanitizer this
// is silent; with a barrier that is spoilt on purpose it must not be (.ci/run does both), which
// shows that the sanitizer sees what passes between our threads.
#include <cstdio>

#include "synaprune/parallel.hpp"

int main() {
  constexpr int threads = 3, rounds = 2000;
  synaprune::Team team(threads);
  long sent[threads] = {}, received[threads] = {};
  team.run([&](int w) {
    for (int round = 0; round < rounds; ++round) {
      sent[w] = round + w;
      team.barrier(w);
      for (const long number : sent) received[w] += number;
      team.barrier(w);
    }
  });
  const long expected = 3L * rounds * (rounds - 1) / 2 + 3L * rounds;
  for (const long sum : received)
    if (sum != expected) return std::printf("got %ld, expected %ld\n", sum, expected), 1;
  return 0;
}
