#include "tests/ops/op_case.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>

#include "kernels/base/half.h"

namespace spinert::cases {

// Each operator's suite is a constant in tests/ops/<op>.cpp.
#define SPINERT_REGISTRY_ROWS
#define OP(name, Params, source) extern const OpSuite name##_suite;
#define KERNEL(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL

const OpSuite& suite(OpId op) {
  static const OpSuite* const kSuites[] = {
#define OP(name, Params, source) &name##_suite,
#define KERNEL(op, backend, level, symbol)
#include "kernels/registry.def"
#undef OP
#undef KERNEL
  };
  return *kSuites[static_cast<unsigned>(op)];
}
#undef SPINERT_REGISTRY_ROWS

namespace {

constexpr int64_t kGuard = 256;
// NaN as float: a kernel that reads past an input and uses the value shows it in its output.
constexpr unsigned char kGuardByte = 0xff;

// Sets parameters from the keys of a case line and collects nothing else.
class CaseParams : public ParamVisitor {
 public:
  explicit CaseParams(const CaseLine& line) : line_(line) {}
  void field(const char* name, int64_t& value) override { value = line_.get(name, value); }
  void field(const char* name, double& value) override { value = line_.real(name, value); }
  void field(const char* name, bool& value) override { value = line_.get(name, value) != 0; }
  void field(const char* name, std::string& value) override { value = line_.word(name, value); }
  void field(const char* name, std::vector<double>& value) override {
    const std::string text = line_.word(name, "");
    if (text.empty()) return;
    value.clear();
    std::stringstream list(text);
    for (std::string item; std::getline(list, item, ',');) {
      double number = 0;
      std::from_chars(item.data(), item.data() + item.size(), number);
      value.push_back(number);
    }
  }

 private:
  const CaseLine& line_;
};

struct AlignedFree {
  void operator()(void* p) const { std::free(p); }
};
using Aligned = std::unique_ptr<void, AlignedFree>;

Aligned allocate(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) + 63) / 64 * 64 + 64;
  return Aligned(std::aligned_alloc(64, size));
}

}  // namespace

uint64_t random_bits(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0xd1342543de82ef95ULL + (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

float random_uniform(uint64_t seed, uint64_t index) {
  return static_cast<float>(random_bits(seed, index) >> 40) * 0x1p-23f - 1.0f;
}

Buffer::Buffer(DType dtype, const Shape& shape) {
  const int64_t bytes = shape.elements() * size_of(dtype);
  const auto total = static_cast<size_t>((bytes + 2 * kGuard + 63) / 64 * 64);
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(64, total));
  memory_ = std::shared_ptr<unsigned char[]>(memory, std::free);
  std::memset(memory, kGuardByte, total);
  view_.data = memory + kGuard;
  view_.dtype = dtype;
  view_.shape = shape;
  poison();
}

void Buffer::poison() {
  std::memset(view_.data, 0xff, static_cast<size_t>(view_.bytes()));
}

bool Buffer::guards_intact() const {
  const unsigned char* end = memory_.get() + kGuard + view_.bytes();
  for (int64_t i = 0; i < kGuard; ++i) {
    if (memory_[static_cast<size_t>(i)] != kGuardByte || end[i] != kGuardByte) return false;
  }
  return true;
}

Result<CaseLine> CaseLine::parse(const std::string& line) {
  CaseLine result;
  result.text_ = line;
  std::istringstream words(line);
  words.imbue(std::locale::classic());
  words >> result.op_;
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return error(ErrorId::E_USAGE, "a case needs key=value pairs", "case \"" + line + "\"")
          .expected("key=value", word);
    }
    result.values_[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return result;
}

std::string CaseLine::word(const std::string& key, const std::string& fallback) const {
  const auto it = values_.find(key);
  if (it == values_.end()) return fallback;
  used_[key] = true;
  return it->second;
}

DType CaseLine::activations() const {
  const std::string name = word("dtype", "f32");
  return name == "f16" ? DType::f16 : name == "bf16" ? DType::bf16 : name == "u8" ? DType::u8 : DType::f32;
}

Quantisation CaseLine::quantisation(const std::string& prefix) const {
  return {static_cast<float>(real(prefix + "scale", 1)), static_cast<int32_t>(get(prefix + "zero", 0))};
}

int64_t CaseLine::get(const std::string& key, int64_t fallback) const {
  const std::string text = word(key, "");
  int64_t value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double CaseLine::real(const std::string& key, double fallback) const {
  const std::string text = word(key, "");
  double value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void CaseLine::read_params(const OpInfo& op, void* params) const {
  CaseParams reader(*this);
  op.visit(params, reader);
}

std::vector<std::string> CaseLine::unused() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : values_) {
    if (!used_.contains(key)) names.push_back(key);
  }
  return names;
}

int CaseInput::add(DType dtype, const Shape& shape, const Quantisation& q) {
  in.emplace_back(dtype, shape);
  in.back().set_quantisation(q);
  count_input.push_back(-1);
  return static_cast<int>(in.size()) - 1;
}

void CaseInput::add_absent() {
  in.emplace_back();
  count_input.push_back(-1);
}

void CaseInput::set_count(size_t i, int32_t rows) {
  const int holder = add(DType::i32, {1});
  in.back().view().i32()[0] = rows;
  count_input[i] = holder;
  ++hidden;
}

void fill_codes(const Tensor& weight, uint64_t seed) {
  const int64_t out_c = weight.shape.last();
  for (int64_t i = 0; i < weight.elements(); ++i) {
    const auto code = static_cast<int64_t>(random_bits(seed, static_cast<uint64_t>(i)) % 255) - 127;
    weight.f32()[i] = i < out_c ? 127.0f : static_cast<float>(code);
  }
}

void fill(const Tensor& tensor, const std::string& data, uint64_t seed, int64_t range) {
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const uint64_t bits = random_bits(seed, static_cast<uint64_t>(i));
    const int64_t integer = static_cast<int64_t>(bits % static_cast<uint64_t>(2 * range + 1)) - range;
    switch (tensor.dtype) {
      case DType::f32:
        tensor.f32()[i] = data == "int" ? static_cast<float>(integer) : random_uniform(seed, static_cast<uint64_t>(i));
        break;
      case DType::f16:
      case DType::bf16:
        store_from_f32(tensor, i,
                       data == "int" ? static_cast<float>(integer) : random_uniform(seed, static_cast<uint64_t>(i)));
        break;
      case DType::i32: tensor.i32()[i] = static_cast<int32_t>(integer); break;
      default: tensor.as<uint8_t>()[i] = static_cast<uint8_t>(bits); break;
    }
  }
}

namespace {

// Weights and other f32 inputs become representable in the half type, so that packing them loses nothing.
void round_inputs(PreparedCase& prepared, DType half) {
  for (size_t i = 0; i < prepared.in.size(); ++i) {
    const Tensor& tensor = prepared.in[i];
    if (tensor.dtype != DType::f32 || i != kPackedInput || tensor.shape.rank < 2) continue;
    for (int64_t e = 0; e < tensor.elements(); ++e) {
      const float value = tensor.f32()[e];
      tensor.f32()[e] = half == DType::f16 ? f16_to_f32(f32_to_f16(value)) : bf16_to_f32(f32_to_bf16(value));
    }
  }
}

// The same case with f32 activations and output; of equal keys the last counts.
std::string widened(const std::string& text) {
  std::string line = text;
  if (line.find(" dtype=u8") != std::string::npos) return line;
  if (line.find(" dtype=") != std::string::npos) line += " dtype=f32";
  if (line.find(" output=") != std::string::npos) line += " output=f32";
  return line;
}

void copy_as_f32(const Tensor& from, const Tensor& to) {
  if (!from.present()) return;
  if (from.dtype == to.dtype) {
    std::memcpy(to.data, from.data, static_cast<size_t>(from.bytes()));
    return;
  }
  for (int64_t i = 0; i < from.elements(); ++i) to.f32()[i] = load_as_f32(from, i);
}

}  // namespace

Result<PreparedCase> prepare(const CaseLine& line) {
  const OpInfo* op = find_op(line.op());
  if (!op) return error(ErrorId::E_USAGE, "no operator named " + line.op(), "case \"" + line.text() + "\"");
  PreparedCase prepared;
  prepared.input.params = op->make_params();
  line.read_params(*op, prepared.input.params.get());
  SPINERT_TRY(suite(op->id).build(line, prepared.input).at("case \"" + line.text() + "\""));
  const Quantisation y_codes = line.quantisation("y");
  if (const auto unused = line.unused(); !unused.empty()) {
    return error(ErrorId::E_USAGE, "the case has a key that nothing reads: " + unused.front(), line.text());
  }
  const CaseInput& input = prepared.input;
  std::vector<TensorType> in_types(input.in.size()), out_types(input.outputs);
  for (size_t i = 0; i < input.in.size(); ++i) {
    Tensor view = input.in[i].view();
    if (input.count_input[i] >= 0) view.count = input.in[static_cast<size_t>(input.count_input[i])].view().i32();
    prepared.in.push_back(view);
    in_types[i] = {view.dtype, view.shape, static_cast<int>(i), input.count_input[i], 1, view.quantisation};
  }
  for (size_t i = 0; i < out_types.size(); ++i) {
    out_types[i].self = static_cast<int>(input.in.size() + i);
    out_types[i].quantisation = y_codes;
  }
  SPINERT_TRY(op->infer(input.params.get(), std::span(in_types).first(in_types.size() - input.hidden), out_types)
                  .at("case \"" + line.text() + "\""));
  for (const TensorType& type : out_types) {
    prepared.out_buffers.emplace_back(type.dtype, type.shape);
    prepared.out_buffers.back().set_quantisation(type.quantisation);
    prepared.out.push_back(prepared.out_buffers.back().view());
  }
  for (size_t i = 0; i < out_types.size(); ++i) {
    const int count = out_types[i].count;
    if (count < 0) continue;
    const auto at = static_cast<size_t>(count);
    prepared.out[i].count =
        at < prepared.in.size() ? prepared.in[at].i32() : prepared.out[at - prepared.in.size()].i32();
    prepared.out[i].count_scale = out_types[i].count_scale;
  }
  return prepared;
}

Status run_kernel(const KernelInfo& info, PreparedCase& prepared, ThreadPool& pool) {
  const Kernel& kernel = *info.kernel;
  const OpCall call = prepared.call();
  Aligned packed, scratch;
  RunContext context{.pool = &pool};
  if (kernel.packed_bytes) {
    packed = allocate(kernel.packed_bytes(call));
    kernel.pack(call, packed.get(), pool);
    context.packed = packed.get();
  }
  if (kernel.scratch_bytes) {
    scratch = allocate(kernel.scratch_bytes(call, pool.size()));
    context.scratch = scratch.get();
  }
  for (Buffer& buffer : prepared.out_buffers) buffer.poison();
  kernel.run(call, context);
  return {};
}

namespace {

Result<std::shared_ptr<const ReferenceRun>> run_reference(const std::string& text, const PreparedCase& got, DType half,
                                                          OpId op, ThreadPool& pool, Backend truth) {
  SPINERT_ASSIGN(const CaseLine wide, CaseLine::parse(widened(text)));
  SPINERT_ASSIGN(PreparedCase want, prepare(wide));
  if (is_half(half)) {
    for (size_t i = 0; i < got.in.size(); ++i) copy_as_f32(got.in[i], want.in[i]);
  }
  ThreadPool one(1);
  const bool exact_truth = truth == Backend::reference;
  const KernelInfo* kernel = choose_kernel(op, truth, exact_truth ? Level::any : cpu_features().best, want.call());
  SPINERT_TRY(run_kernel(*kernel, want, exact_truth ? one : pool));
  return std::make_shared<const ReferenceRun>(ReferenceRun{std::move(want), kernel});
}

}  // namespace

CaseResult check_case(const std::string& text, const KernelInfo& kernel, ThreadPool& pool, CudaDevice* device,
                      Backend truth, ReferenceRuns* runs) {
  auto line = CaseLine::parse(text);
  if (!line.ok()) return {line.status()};
  auto got = prepare(line.value());
  if (!got.ok()) return {got.status()};
  const DType half = line.value().activations();
  if (is_half(half)) round_inputs(got.value(), half);
  if (const char* reason = refusal(kernel, got.value().call())) return {{}, reason};
  if (runs && runs->op != kernel.op) *runs = {kernel.op, {}};
  std::shared_ptr<const ReferenceRun> kept = runs ? runs->by_line[text] : nullptr;
  if (!kept) {
    auto computed = run_reference(text, got.value(), half, kernel.op, pool, truth);
    if (!computed.ok()) return {computed.status()};
    kept = computed.value();
    if (runs) runs->by_line[text] = kept;
  }
  const PreparedCase& want = kept->prepared;
  const KernelInfo* reference = kept->kernel;
  CaseResult result;
  if (kernel.backend == Backend::cuda) {
    if (!device) return {error(ErrorId::E_DEVICE, "this case needs a card", kernel.name)};
    result.status = run_cuda_kernel(kernel, got.value(), *device);
  } else {
    result.status = run_kernel(kernel, got.value(), pool);
  }
  if (!result.status.ok()) return result;

  const auto fail = [&](std::string what) {
    result.status = error(ErrorId::E_VERIFY, std::string(kernel.name) + ": " + what, "--case \"" + text + "\"");
    return result;
  };
  const OpInfo& op = op_info(kernel.op);
  Tolerance tolerance = op.tolerance(want.call());
  if (truth != Backend::reference) tolerance = {2 * tolerance.absolute, 2 * tolerance.relative};
  if (want.input.exact && kernel.kernel->exact_on_integers && reference->kernel->exact_on_integers) {
    tolerance = {};
  }
  for (size_t i = 0; i < got.value().out.size(); ++i) {
    Tensor g = got.value().out[i], w = want.out[i];
    Tolerance bound = tolerance;
    Buffer wide_output;
    if (is_half(g.dtype)) {
      bound.relative += g.dtype == DType::f16 ? 0x1p-11 : 0x1p-8;
      bound.absolute += 0x1p-25;  // half a subnormal of f16
      wide_output = Buffer(DType::f32, g.shape);
      copy_as_f32(g, wide_output.view());
      g = wide_output.view();
    }
    // Whole capacity: rows beyond the count must still hold the poison on both sides.
    const Tensor used = w;
    w.count = nullptr;
    const Comparison all = compare(g, w, bound);
    result.max_difference = std::max(result.max_difference, compare(g, used, bound).max_difference);
    if (!all.ok()) return fail("output " + std::to_string(i) + ": " + all.describe(w.shape));
    if (!got.value().out_buffers[i].guards_intact()) return fail("wrote outside output " + std::to_string(i));
  }
  for (size_t i = 0; i < got.value().in.size(); ++i) {
    const Tensor &g = got.value().in[i], &w = want.in[i];
    if (!g.present() || g.dtype != w.dtype) continue;
    if (std::memcmp(g.data, w.data, static_cast<size_t>(g.bytes())) != 0)
      return fail("changed input " + std::to_string(i));
  }
  return result;
}

}  // namespace spinert::cases
