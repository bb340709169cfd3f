#include "models/nearest.h"
#include "sim/topology/machine.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <sstream>

namespace ithaca {
namespace {

struct Word {
  std::string text;
  Place place;
};

/// Without the colours and underlines that terminals get.
std::string plain(const std::string& line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b') {
      text += line[i];
      continue;
    }
    while (i < line.size() && line[i] != 'm') ++i;
  }
  return text;
}

std::vector<Word> words_of(const std::string& line, const Place& start) {
  std::vector<Word> words;
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  for (std::size_t i = 0; i < line.size();) {
    if (blank(line[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < line.size() && !blank(line[end])) ++end;
    words.push_back({line.substr(i, end - i), {start.file, start.line, static_cast<int>(i) + 1}});
    i = end;
  }
  return words;
}

/// How near two devices are, from near to far; NVLink stands beside.
enum class Near : std::uint8_t { self, pix, pxb, phb, node, sys, nvlink };

struct Entry {
  Near near = Near::self;
  int links = 0;  ///< of NVLink
  bool operator==(const Entry&) const = default;
};

Entry entry_of(const Word& word, const std::string& key) {
  static const std::map<std::string, Near> names = {{"X", Near::self},    {"PIX", Near::pix},
                                                    {"PXB", Near::pxb},   {"PHB", Near::phb},
                                                    {"NODE", Near::node}, {"SYS", Near::sys}};
  if (const auto found = names.find(word.text); found != names.end()) return {found->second, 0};
  int links = 0;
  const char* const end = word.text.data() + word.text.size();
  if (word.text.starts_with("NV")) {
    const auto [stop, error] = std::from_chars(word.text.data() + 2, end, links);
    if (error == std::errc{} && stop == end && links > 0 && links <= 64)
      return {Near::nvlink, links};
  }
  const std::string hint = did_you_mean(word.text, {"X", "PIX", "PXB", "PHB", "NODE", "SYS"});
  throw InputError(word.place, key,
                   fmt::format("expected X, NV#, PIX, PXB, PHB, NODE or SYS, got {}{}",
                               in_quotes(word.text), hint));
}

struct Matrix {
  std::vector<std::string> names;
  std::vector<std::vector<Entry>> near;
  std::vector<std::string> cpus;  ///< the CPU affinity of a device; empty for NICs
  bool gpu(std::size_t i) const { return names[i].starts_with("GPU"); }
};

class Lines {
 public:
  Lines(const std::string& content, std::string file) : in_(content), file_(std::move(file)) {}

  /// The next line that is not empty.
  std::optional<std::vector<Word>> next() {
    for (std::string line; std::getline(in_, line);) {
      ++number_;
      std::vector<Word> words = words_of(plain(line), {file_, number_, 1});
      if (!words.empty()) return words;
    }
    return std::nullopt;
  }
  Place here() const { return number_ == 0 ? Place{file_} : Place{file_, number_, 1}; }

 private:
  std::istringstream in_;
  std::string file_;
  int number_ = 0;
};

void read_header(Lines& lines, Matrix& m) {
  const std::optional<std::vector<Word>> header = lines.next();
  if (!header)
    throw InputError(lines.here(), "",
                     "expected the matrix of nvidia-smi topo -m, got an empty file");
  for (const Word& word : *header) {
    if (word.text == "CPU") break;
    if (std::ranges::find(m.names, word.text) != m.names.end())
      throw InputError(
          word.place, "",
          fmt::format("expected every device once, got {} again", in_quotes(word.text)));
    m.names.push_back(word.text);
  }
  if (m.names.empty() || !m.gpu(0))
    throw InputError(header->front().place, "",
                     fmt::format("expected the head of nvidia-smi topo -m, GPU0 first, got {}",
                                 in_quotes(header->front().text)));
}

void read_row(Lines& lines, Matrix& m) {
  const std::string& name = m.names[m.near.size()];
  const std::optional<std::vector<Word>> row = lines.next();
  if (!row || row->front().text != name)
    throw InputError(row ? row->front().place : lines.here(), name,
                     fmt::format("expected the row of {}, got {}, the matrix is cut short", name,
                                 row ? in_quotes(row->front().text) : "the end of the file"));
  m.near.emplace_back();
  for (std::size_t i = 0; i < m.names.size(); ++i) {
    if (i + 1 >= row->size())
      throw InputError(row->back().place, name,
                       fmt::format("expected {} entries, got {}, the matrix is cut short",
                                   m.names.size(), row->size() - 1));
    const Word& word = (*row)[i + 1];
    const std::string key = fmt::format("{}.{}", name, m.names[i]);
    m.near.back().push_back(entry_of(word, key));
    const std::size_t self = m.near.size() - 1;
    if ((m.near.back()[i].near == Near::self) != (i == self))
      throw InputError(
          word.place, key,
          fmt::format("expected X between a device and itself only, got {}", word.text));
    if (i < self && m.near.back()[i] != m.near[i][self])
      throw InputError(word.place, key,
                       fmt::format("expected what {} says of {}, got {}, the matrix is symmetric",
                                   m.names[i], name, word.text));
  }
  m.cpus.push_back(m.gpu(m.near.size() - 1) && row->size() > m.names.size() + 1
                       ? (*row)[m.names.size() + 1].text
                       : "");
}

Matrix read_matrix(const std::string& content, const std::string& file) {
  Matrix m;
  Lines lines(content, file);
  read_header(lines, m);
  while (m.near.size() < m.names.size()) read_row(lines, m);
  return m;
}

/// Sets of devices that are at most so far from each other, by device: the first of the set.
std::vector<std::size_t> sets(const Matrix& m, Near most) {
  std::vector<std::size_t> first(m.names.size());
  std::iota(first.begin(), first.end(), 0);
  const auto unite = [&](std::size_t a, std::size_t b) {
    const auto [small, large] = std::minmax({first[a], first[b]});
    std::ranges::replace(first, large, small);
  };
  for (std::size_t i = 0; i < first.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const bool same_cpu = most == Near::node && !m.cpus[i].empty() && m.cpus[i] == m.cpus[j];
      if (m.near[i][j].near <= most || same_cpu) unite(i, j);
    }
  return first;
}

class Drawing {
 public:
  Drawing(const Matrix& m, const Gpu& gpu) : m_(m), gpu_(gpu) {}

  Machine draw() && {
    machine_.socket_speed_known = false;
    const std::vector<std::size_t> socket = sets(m_, Near::node), far = sets(m_, Near::pxb),
                                   near = sets(m_, Near::pix);
    for (std::size_t i = 0; i < m_.names.size(); ++i)
      device_.push_back(add_part(machine_.box, m_.gpu(i) ? Part::gpu : Part::nic));
    for (std::size_t i = 0; i < device_.size(); ++i) {
      const std::size_t below_socket = parent(far, socket_of(socket[i]), far[i]);
      const std::size_t below = near[i] == far[i] && alike(near, far, i)
                                    ? below_socket
                                    : parent(near, below_socket, near[i]);
      join(machine_.box, device_[i], below, pcie());
    }
    nvlinks();
    network();
    return std::move(machine_);
  }

 private:
  Edge pcie() const {
    return {Medium::pcie, gpu_.pcie ? gpu_.pcie->nccl_bytes_per_s : gpu_.nvlink->nccl_bytes_per_s};
  }

  /// Whether the two sets of a device are one.
  static bool alike(const std::vector<std::size_t>& near, const std::vector<std::size_t>& far,
                    std::size_t i) {
    return std::ranges::count(near, near[i]) == std::ranges::count(far, far[i]);
  }

  std::size_t socket_of(std::size_t set) {
    const auto known = socket_.find(set);
    if (known != socket_.end()) return known->second;
    const std::size_t added = add_part(machine_.box, Part::socket);
    for (const auto& [other, vertex] : socket_)
      join(machine_.box, vertex, added, {Medium::socket, pcie().bandwidth_bytes_per_s});
    return socket_[set] = added;
  }

  /// The switch of a set below `above`; of one device, `above` itself.
  std::size_t parent(const std::vector<std::size_t>& of, std::size_t above, std::size_t set) {
    if (std::ranges::count(of, set) == 1) return above;
    const auto known = switch_.find({above, set});
    if (known != switch_.end()) return known->second;
    const std::size_t added = add_part(machine_.box, Part::pcie_switch);
    join(machine_.box, added, above, pcie());
    return switch_[{above, set}] = added;
  }

  /// NVSwitches give each pair all links of a GPU, so more than a GPU has in total.
  void nvlinks() {
    // NCCL's rate for a GPU it does not know, src/graph/topo.cc.
    constexpr double one_link = 20e9;
    const double rate =
        gpu_.nvlink ? gpu_.nvlink->nccl_bytes_per_s / static_cast<double>(gpu_.nvlink->links)
                    : one_link;
    constexpr int most_links = 18;  // of H100, B200: the most any GPU has
    std::optional<std::size_t> nvswitch;
    for (std::size_t i = 0; i < device_.size(); ++i) {
      int total = 0, widest = 0;
      for (const Entry& entry : m_.near[i]) {
        total += entry.links;
        widest = std::max(widest, entry.links);
      }
      const bool switched =
          total > (gpu_.nvlink ? static_cast<int>(gpu_.nvlink->links) : most_links);
      if (switched) {
        if (!nvswitch) nvswitch = add_part(machine_.box, Part::nvswitch);
        join(machine_.box, device_[i], *nvswitch, {Medium::nvlink, widest * rate});
        continue;
      }
      for (std::size_t j = 0; j < i; ++j)
        if (m_.near[i][j].links > 0)
          join(machine_.box, device_[j], device_[i], {Medium::nvlink, m_.near[i][j].links * rate});
    }
  }

  void network() {
    const std::vector<std::size_t> nics = all_of(machine_.box, Part::nic);
    if (nics.empty()) return;
    machine_.nic_speeds_known = false;
    const std::size_t leaf = add_part(machine_.box, Part::leaf);
    for (const std::size_t nic : nics)
      join(machine_.box, nic, leaf, {Medium::network, unknown_nic_bytes_per_s});
  }

  const Matrix& m_;
  const Gpu& gpu_;
  Machine machine_;
  std::vector<std::size_t> device_;
  std::map<std::size_t, std::size_t> socket_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> switch_;
};

}  // namespace

Machine read_smi_matrix(const std::string& content, const std::string& file, const Gpu& gpu) {
  const Matrix matrix = read_matrix(content, file);
  return Drawing(matrix, gpu).draw();
}

}  // namespace ithaca
