// What the operating system says of this process: its share of processors, and how it began.
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "synaprune/parallel.hpp"

namespace synaprune {

namespace {

constexpr int unlimited = std::numeric_limits<int>::max();

int processors(double quota, double period) {
  if (!(quota > 0.0 && period > 0.0)) return unlimited;
  return std::max(1, static_cast<int>(quota / period + 0.5));
}

// Of one cgroup, by the files of version 2 or 1.
int quota_of(const std::string& v2, const std::string& v1) {
  double quota = 0.0, period = 0.0;
  if (std::ifstream file(v2 + "/cpu.max"); file >> quota >> period)  // "max" is no number
    return processors(quota, period);
  std::ifstream quota_file(v1 + "/cpu.cfs_quota_us"), period_file(v1 + "/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period) return processors(quota, period);
  return unlimited;
}

}  // namespace

int cpu_quota() {
  static const int quota = [] {
    const std::string v2 = "/sys/fs/cgroup", v1 = "/sys/fs/cgroup/cpu";
    int least = quota_of(v2, v1);
    std::ifstream groups("/proc/self/cgroup");  // "id:controllers:path", its parents bind too
    for (std::string line; std::getline(groups, line);) {
      std::string path = line.substr(line.find(':', line.find(':') + 1) + 1);
      for (; path.size() > 1; path.erase(path.rfind('/')))
        least = std::min(least, quota_of(v2 + path, v1 + path));
    }
    return least;
  }();
  return quota;
}

bool forked_without_exec() {
  // The ninth number of /proc/self/stat holds the flags of the process; the second may hold spaces.
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line) || line.rfind(')') == std::string::npos) return false;
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 9; ++i) rest >> field;
  constexpr unsigned long forked_no_exec = 0x40;  // PF_FORKNOEXEC of Linux
  return (std::strtoul(field.c_str(), nullptr, 10) & forked_no_exec) != 0;
}

}  // namespace synaprune
