// What the operating system says of this process: its share of processors, and how it began.
// By C's files: streams of C++ crash where a compiler links its own library of them into the
// module.
#include <cstdio>
#include <limits>
#include <string>

#include "synaprune/parallel.hpp"

namespace synaprune {

namespace {

constexpr int unlimited = std::numeric_limits<int>::max();

// What a file holds, "" if it cannot be read.
std::string text_of(const std::string& path) {
  std::string text;
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return text;
  char part[512];
  while (const std::size_t n = std::fread(part, 1, sizeof part, file)) text.append(part, n);
  std::fclose(file);
  return text;
}

int processors(long long quota, long long period) {
  if (!(quota > 0 && period > 0)) return unlimited;
  const double share = static_cast<double>(quota) / static_cast<double>(period);
  return std::max(1, static_cast<int>(std::min<double>(share + 0.5, max_threads)));
}

// Of one cgroup, by the files of version 2 or 1.
int quota_of(const std::string& v2, const std::string& v1) {
  long long quota = 0, period = 0;
  const std::string both = text_of(v2 + "/cpu.max");
  if (std::sscanf(both.c_str(), "%lld %lld", &quota, &period) == 2)  // "max" is no number
    return processors(quota, period);
  const std::string of_quota = text_of(v1 + "/cpu.cfs_quota_us");
  const std::string of_period = text_of(v1 + "/cpu.cfs_period_us");
  if (std::sscanf(of_quota.c_str(), "%lld", &quota) == 1 &&
      std::sscanf(of_period.c_str(), "%lld", &period) == 1)
    return processors(quota, period);
  return unlimited;
}

}  // namespace

int cpu_quota() {
  static const int quota = [] {
    const std::string v2 = "/sys/fs/cgroup", v1 = "/sys/fs/cgroup/cpu";
    int least = quota_of(v2, v1);
    const std::string groups = text_of("/proc/self/cgroup");
    for (std::size_t begin = 0, end; begin < groups.size(); begin = end + 1) {
      end = std::min(groups.find('\n', begin), groups.size());
      const std::string line = groups.substr(begin, end - begin);  // "id:controllers:path"
      std::string path = line.substr(line.find(':', line.find(':') + 1) + 1);
      for (; path.size() > 1 && path[0] == '/';
           path.erase(path.rfind('/')))  // its parents bind too
        least = std::min(least, quota_of(v2 + path, v1 + path));
    }
    return least;
  }();
  return quota;
}

bool forked_without_exec() {
  // The ninth number of /proc/self/stat holds the flags of the process; the second may hold spaces.
  const std::string line = text_of("/proc/self/stat");
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  unsigned long flags = 0;
  std::sscanf(line.c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags);
  constexpr unsigned long forked_no_exec = 0x40;  // PF_FORKNOEXEC of Linux
  return (flags & forked_no_exec) != 0;
}

}  // namespace synaprune
