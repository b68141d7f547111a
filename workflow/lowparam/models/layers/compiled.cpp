// Convolution, norm and activation of small networks, forward and backward, for one thread of a CPU.
//
// Maps are float32 with channels last: rows of C values, a row a position. A training step of a small network spends
// half of its time in batch norms and activations, which torch computes in many passes over maps that leave the cache,
// and slowly where C is no multiple of 16. Here each convolution is one node with its norm and its activation:
//
// * rows are computed in chunks that stay in the cache: forward, a chunk's sums are taken as it is written; backward,
//   the gradient before the norm exists only a chunk at a time, and goes into both gradients of the convolution;
// * the backward pass needs the input and what the convolution wrote, and computes the rest again;
// * passes over rows have an inner loop over about 512 values, whatever C is.
//
// What is computed is what torch computes, up to the order of sums. NaN and inf stay what they are, because divergence
// is found by them, so nothing here may be compiled with -ffast-math. There are no intrinsics: vectors are those of
// GCC and Clang, as long as those of the processor. Change VERSION in fast.py if results change by more than rounding.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#define INLINE inline __attribute__((always_inline))  // else loops with these are not vectorised

namespace {

using at::Tensor;
using std::int64_t;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using OptionalTensor = std::optional<Tensor>;

// ---------------------------------------------------------------------------------------------------- vectors

#if defined(__AVX512F__)
constexpr int64_t W = 16, TILE = 12;  // values of a vector; rows of a tile of products, which fits the registers
#elif defined(__AVX__)
constexpr int64_t W = 8, TILE = 6;
#else
constexpr int64_t W = 4, TILE = 6;
#endif
typedef float Vector __attribute__((vector_size(W * sizeof(float)), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }
inline int64_t rounded_up(int64_t value) { return (value + W - 1) / W * W; }

// Write a vector whose end may lie behind the end of a tensor. Where it lies behind the end of a row only, it writes
// into the next row, whose values come later.
inline void store_before(float* to, Vector value, const float* end) {
  if (to + W <= end) {
    store(to, value);
  } else {
    for (int64_t i = 0; to + i < end && i < W; i++) to[i] = value[i];
  }
}

constexpr int64_t CHUNK = 32768;  // values of the wider side of a convolution in a chunk: 128 KB
constexpr int64_t INNER = 512;    // values of the inner loop of a pass
constexpr int64_t SUMMED = 32;    // additions in float32 before a sum goes on in float64

// ------------------------------------------------------------------------------------------------- activations

enum Activation : int64_t { NONE, RELU, RELU6, HARDSWISH, GELU };

INLINE float exponential(float x) {  // for x <= 0; relative error 2e-7
  x = x < -87.0f ? -87.0f : x;
  const float n = std::floor(x * 1.44269504f + 0.5f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  union { int32_t bits; float value; } power;
  power.bits = (static_cast<int32_t>(n == n ? n : 0.0f) + 127) << 23;
  return p * power.value;
}

INLINE float error_function(float x) {  // rational approximation of Eigen and XLA, a few units in the last place
  x = x < -4.0f ? -4.0f : x;
  x = x > 4.0f ? 4.0f : x;
  const float s = x * x;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s - 2.10102402082508e-06f;
  p = p * s - 5.69250639462346e-05f;
  p = p * s - 7.34990630326855e-04f;
  p = p * s - 2.95459980854025e-03f;
  p = p * s - 1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s - 2.13374055278905e-04f;
  q = q * s - 1.68282697438203e-03f;
  q = q * s - 7.37332916720468e-03f;
  q = q * s - 1.42647390514189e-02f;
  return x * p / q;
}

template <int64_t A>
INLINE float activate(float u) {
  if (A == RELU) return u <= 0.0f ? 0.0f : u;
  if (A == RELU6) { u = u <= 0.0f ? 0.0f : u; return u >= 6.0f ? 6.0f : u; }
  if (A == HARDSWISH) {
    float gate = u + 3.0f;
    gate = gate <= 0.0f ? 0.0f : gate;
    gate = gate >= 6.0f ? 6.0f : gate;
    return u * gate * (1.0f / 6.0f);
  }
  if (A == GELU) return u * (0.5f + 0.5f * error_function(u * 0.70710678f));
  return u;
}

template <int64_t A>  // the gradient before the activation, of that after it
INLINE float deactivate(float grad, float u) {
  if (A == RELU) return u <= 0.0f ? 0.0f : grad;
  if (A == RELU6) { grad = u <= 0.0f ? 0.0f : grad; return u >= 6.0f ? 0.0f : grad; }
  if (A == HARDSWISH) {
    float slope = u * (1.0f / 3.0f) + 0.5f;
    slope = u <= -3.0f ? 0.0f : slope;
    slope = u >= 3.0f ? 1.0f : slope;
    return grad * slope;
  }
  if (A == GELU) {
    const float density = 0.39894228f * exponential(-0.5f * u * u);
    return grad * (0.5f + 0.5f * error_function(u * 0.70710678f) + u * density);
  }
  return grad;
}

template <typename F>
void with_activation(int64_t activation, F run) {
  switch (activation) {
    case RELU: return run(std::integral_constant<int64_t, RELU>());
    case RELU6: return run(std::integral_constant<int64_t, RELU6>());
    case HARDSWISH: return run(std::integral_constant<int64_t, HARDSWISH>());
    case GELU: return run(std::integral_constant<int64_t, GELU>());
    default: return run(std::integral_constant<int64_t, NONE>());
  }
}

// -------------------------------------------------------------------------------------------------- batch norm

// Sums of two quantities a channel over rows: in float32 over short stretches of `tile` rows side by side, in float64
// beyond.
class Sums {
 public:
  explicit Sums(int64_t channels)
      : C(channels), tile(std::max<int64_t>(1, INNER / channels)), length(tile * channels),
        first(channels, 0.0), second(channels, 0.0), one(length, 0.0f), two(length, 0.0f) {}

  // `term(i, j, a, b)` gives the two quantities of value i of the rows, whose place in a tile is j.
  template <typename F>
  void add(int64_t rows, F term) {
    for (int64_t begin = 0; begin < rows * C; begin += length) {
      const int64_t many = std::min(length, rows * C - begin);
      float *a = one.data(), *b = two.data();
#pragma omp simd
      for (int64_t j = 0; j < many; j++) {
        float p, q;
        term(begin + j, j, p, q);
        a[j] += p;
        b[j] += q;
      }
      if (++added == SUMMED) flush();
    }
  }

  void flush() {
    for (int64_t t = 0; t < tile; t++)
      for (int64_t c = 0; c < C; c++) {
        first[c] += one[t * C + c];
        second[c] += two[t * C + c];
      }
    std::fill(one.begin(), one.end(), 0.0f);
    std::fill(two.begin(), two.end(), 0.0f);
    added = 0;
  }

  // A value a channel, once for each row of a tile.
  std::vector<float> repeated(const float* values) const {
    std::vector<float> all(length);
    for (int64_t t = 0; t < tile; t++) std::copy(values, values + C, all.begin() + t * C);
    return all;
  }

  const int64_t C, tile, length;
  std::vector<double> first, second;

 private:
  std::vector<float> one, two;
  int64_t added = 0;
};

// Call `each(i, j)` for all values of some rows; j is the place in a tile.
template <typename F>
inline void over_tiles(int64_t rows, const Sums& sums, F each) {
  const int64_t all = rows * sums.C;
  for (int64_t begin = 0; begin < all; begin += sums.length) {
    const int64_t many = std::min(sums.length, all - begin);
#pragma omp simd
    for (int64_t j = 0; j < many; j++) each(begin + j, j);
  }
}

// ---------------------------------------------------------------------------------------------------- products

// A matrix (depth, width) in panels of two vectors: panel p holds columns 2 W p to 2 W (p + 1), row by row, 0 outside.
class Panels {
 public:
  // Entry (d, w) of the matrix is at values[d * by_depth + w * by_width].
  Panels(const float* values, int64_t depth, int64_t width, int64_t by_depth, int64_t by_width)
      : depth(depth), width(width), packed(((width + 2 * W - 1) / (2 * W)) * 2 * W * depth, 0.0f) {
    for (int64_t w = 0; w < width; w++)
      for (int64_t d = 0; d < depth; d++)
        packed[(w / (2 * W)) * 2 * W * depth + d * 2 * W + w % (2 * W)] = values[d * by_depth + w * by_width];
  }
  const float* panel(int64_t column) const { return packed.data() + column * depth; }

  const int64_t depth, width;

 private:
  std::vector<float> packed;
};

template <int64_t R, int64_t V>  // R rows by V vectors of columns
inline void product_tile(const float* x, const Panels& m, int64_t column, const float* bias, float* y, const float* end) {
  Vector sum[R][V];
  const float* panel = m.panel(column);
  for (int64_t v = 0; v < V; v++) {
    const Vector start = load(bias + column + v * W);
    for (int64_t r = 0; r < R; r++) sum[r][v] = start;
  }
  for (int64_t d = 0; d < m.depth; d++) {
    Vector b[V];
    for (int64_t v = 0; v < V; v++) b[v] = load(panel + d * 2 * W + v * W);
#pragma GCC unroll 16
    for (int64_t r = 0; r < R; r++) {
      const float a = x[r * m.depth + d];
#pragma GCC unroll 2
      for (int64_t v = 0; v < V; v++) sum[r][v] += a * b[v];
    }
  }
  for (int64_t r = 0; r < R; r++)
    for (int64_t v = 0; v < V; v++) store_before(y + r * m.width + column + v * W, sum[r][v], end);
}

template <int64_t R>
inline void product_rows(const float* x, const Panels& m, const float* bias, float* y, const float* end) {
  // The last columns first, because their vectors reach into the next row.
  for (int64_t column = (m.width - 1) / (2 * W) * 2 * W; column >= 0; column -= 2 * W) {
    if (m.width - column > W) product_tile<R, 2>(x, m, column, bias, y, end);
    else product_tile<R, 1>(x, m, column, bias, y, end);
  }
}

// y = x m + bias for some rows; `bias` has room for two vectors more; y may be written up to `end`.
void product(const float* x, const Panels& m, const float* bias, float* y, int64_t rows, const float* end) {
  int64_t row = 0;
  for (; row + TILE <= rows; row += TILE) product_rows<TILE>(x + row * m.depth, m, bias, y + row * m.width, end);
  for (; row + 4 <= rows; row += 4) product_rows<4>(x + row * m.depth, m, bias, y + row * m.width, end);
  for (; row < rows; row++) product_rows<1>(x + row * m.depth, m, bias, y + row * m.width, end);
}

template <int64_t R, int64_t V>
inline void gram_tile(const float* g, const float* x, int64_t rows, int64_t n, int64_t k, float* to, int64_t stride) {
  Vector sum[R][V];
  for (int64_t r = 0; r < R; r++)
    for (int64_t v = 0; v < V; v++) sum[r][v] = Vector{};
  for (int64_t row = 0; row < rows; row++) {
    Vector b[V];
    for (int64_t v = 0; v < V; v++) b[v] = load(x + row * k + v * W);
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; r++) {
      const float a = g[row * n + r];
#pragma GCC unroll 2
      for (int64_t v = 0; v < V; v++) sum[r][v] += a * b[v];
    }
  }
  for (int64_t r = 0; r < R; r++)
    for (int64_t v = 0; v < V; v++) {
      float* place = to + r * stride + v * W;
      store(place, load(place) + sum[r][v]);
    }
}

// to (n, stride) += g' x for rows of g (n) and x (k); x can be read two vectors beyond its rows.
void gram(const float* g, const float* x, int64_t rows, int64_t n, int64_t k, float* to, int64_t stride) {
  for (int64_t column = 0; column < k; column += 2 * W) {
    const bool two = k - column > W;
    int64_t r = 0;
    for (; r + 8 <= n; r += 8)
      two ? gram_tile<8, 2>(g + r, x + column, rows, n, k, to + r * stride + column, stride)
          : gram_tile<8, 1>(g + r, x + column, rows, n, k, to + r * stride + column, stride);
    for (; r + 3 <= n; r += 3)
      two ? gram_tile<3, 2>(g + r, x + column, rows, n, k, to + r * stride + column, stride)
          : gram_tile<3, 1>(g + r, x + column, rows, n, k, to + r * stride + column, stride);
    for (; r < n; r++)
      two ? gram_tile<1, 2>(g + r, x + column, rows, n, k, to + r * stride + column, stride)
          : gram_tile<1, 1>(g + r, x + column, rows, n, k, to + r * stride + column, stride);
  }
}

// ------------------------------------------------------------------------------------------------ convolutions

// What a node needs of its convolution: `chunks` parts of the output, each of `rows_of(i)` rows from `first_row(i)`.
// forward() writes a part; backward() takes a part of the gradient, writes that of the input, and adds to that of the
// weights.
class Pointwise {
 public:
  Pointwise(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, bool backward)
      : K(weight.size(1)), N(weight.size(0)), rows(x.size(0) * x.size(2) * x.size(3)),
        many(std::max<int64_t>(TILE, CHUNK / std::max(K, N) / TILE * TILE)), stride(rounded_up(K) + W),
        matrix(weight.const_data_ptr<float>(), backward ? N : K, backward ? K : N, backward ? K : 1, backward ? 1 : K),
        offset(std::max(K, N) + 3 * W, 0.0f) {
    if (bias.has_value() && !backward) std::copy_n(bias->const_data_ptr<float>(), N, offset.begin());
    if (backward) gradient.assign(N * stride, 0.0f), tail.assign(rounded_up(K) + 2 * K + W, 0.0f);
  }
  int64_t chunks() const { return (rows + many - 1) / many; }
  int64_t first_row(int64_t i) const { return i * many; }
  int64_t rows_of(int64_t i) const { return std::min(many, rows - i * many); }

  void forward(int64_t i, const float* x, float* z) {
    product(x + first_row(i) * K, matrix, offset.data(), z + first_row(i) * N, rows_of(i), z + rows * N);
  }

  void backward(int64_t i, const float* dz, const float* x, float* dx) {
    const int64_t count = rows_of(i);
    const float *from = x + first_row(i) * K, *end = x + rows * K;
    if (dx != nullptr) product(dz, matrix, offset.data(), dx + first_row(i) * K, count, dx + rows * K);
    int64_t safe = count;  // rows that can be read in vectors
    while (safe > 0 && from + (safe - 1) * K + rounded_up(K) > end) safe--;
    gram(dz, from, safe, N, K, gradient.data(), stride);
    std::copy(from + safe * K, from + count * K, tail.begin());
    gram(dz + safe * N, tail.data(), count - safe, N, K, gradient.data(), stride);
  }

  Tensor weight_gradient(const Tensor& weight) const {
    Tensor result = at::empty({N, K, 1, 1}, weight.options());
    float* to = result.mutable_data_ptr<float>();
    for (int64_t n = 0; n < N; n++) std::copy_n(gradient.data() + n * stride, K, to + n * K);
    return result;
  }

  static constexpr bool COMPUTES = true;
  const int64_t K, N, rows;

 private:
  const int64_t many, stride;
  Panels matrix;
  std::vector<float> offset, gradient, tail;
};

// A kernel of K x K for each channel, with padding K / 2. A part is an image.
template <int64_t K>
class Depthwise {
 public:
  Depthwise(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, int64_t stride, bool backward)
      : N(x.size(1)), C(rounded_up(N)), H(x.size(2)), L(x.size(3)), stride(stride), OH((H - 1) / stride + 1),
        OL((L - 1) / stride + 1), HP(H + 2 * P + stride), LP(L + 2 * P + stride), images(x.size(0)),
        taps(K * K * C, 0.0f), flipped(backward ? K * K * C : 0, 0.0f), offset(C, 0.0f), padded(HP * LP * C + W, 0.0f) {
    const float* from = weight.const_data_ptr<float>();
    for (int64_t c = 0; c < N; c++)
      for (int64_t t = 0; t < K * K; t++) {
        taps[t * C + c] = from[c * K * K + t];
        if (backward) flipped[(K * K - 1 - t) * C + c] = from[c * K * K + t];
      }
    if (bias.has_value() && !backward) std::copy_n(bias->const_data_ptr<float>(), N, offset.begin());
    if (backward) gradient.assign(K * K * C, 0.0f), spread.assign(HP * LP * C + W, 0.0f);
  }
  int64_t chunks() const { return images; }
  int64_t first_row(int64_t i) const { return i * OH * OL; }
  int64_t rows_of(int64_t) const { return OH * OL; }

  void forward(int64_t i, const float* x, float* z) {
    pad(x + i * H * L * N, x + images * H * L * N, H, L, padded.data());
    float *to = z + i * OH * OL * N, *end = z + images * OH * OL * N;
    if (stride == 1) convolve<1>(padded.data(), taps.data(), offset.data(), OH, OL, to, end);
    else convolve<2>(padded.data(), taps.data(), offset.data(), OH, OL, to, end);
  }

  // dz can be read a vector beyond its rows.
  void backward(int64_t i, const float* dz, const float* x, float* dx) {
    pad(x + i * H * L * N, x + images * H * L * N, H, L, padded.data());
    weigh(dz);
    if (dx == nullptr) return;
    float *to = dx + i * H * L * N, *end = dx + images * H * L * N;
    if (stride == 1) {
      pad(dz, dz + H * L * N + W, H, L, spread.data());
      convolve<1>(spread.data(), flipped.data(), offset.data(), H, L, to, end);
    } else {
      scatter(dz);
      for (int64_t y = 0; y < H; y++)
        for (int64_t l = 0; l < L; l++) std::copy_n(spread.data() + ((y + P) * LP + l + P) * C, N, to + (y * L + l) * N);
    }
  }

  Tensor weight_gradient(const Tensor& weight) const {
    Tensor result = at::empty({N, 1, K, K}, weight.options());
    float* to = result.mutable_data_ptr<float>();
    for (int64_t c = 0; c < N; c++)
      for (int64_t t = 0; t < K * K; t++) to[c * K * K + t] = gradient[t * C + c];
    return result;
  }

  static constexpr bool COMPUTES = true;
  static constexpr int64_t P = K / 2;
  const int64_t N;

 private:
  void pad(const float* from, const float* end, int64_t height, int64_t length, float* to) const {
    // What is read beyond a position goes into channels that do not exist, whose results are written nowhere.
    for (int64_t y = 0; y < height; y++)
      for (int64_t l = 0; l < length; l++) {
        const float* values = from + (y * length + l) * N;
        float* place = to + ((y + P) * LP + l + P) * C;
        for (int64_t c = 0; c < C; c += W) {
          if (values + c + W <= end) store(place + c, load(values + c));
          else std::copy(values + c, end, place + c);
        }
      }
  }

  template <int64_t S, int64_t B>  // B positions side by side, which share what they read
  inline void positions(const float* from, const float* kernel, const float* start, float* to, const float* end) const {
    for (int64_t c = C - W; c >= 0; c -= W) {  // the last channels first, because they reach into the next position
      Vector sum[B];
      for (int64_t b = 0; b < B; b++) sum[b] = load(start + c);
      for (int64_t y = 0; y < K; y++) {
        const float* row = from + y * LP * C + c;
        Vector w[K];
        for (int64_t k = 0; k < K; k++) w[k] = load(kernel + (y * K + k) * C + c);
#pragma GCC unroll 16
        for (int64_t l = 0; l < (B - 1) * S + K; l++) {
          const Vector v = load(row + l * C);
#pragma GCC unroll 4
          for (int64_t b = 0; b < B; b++)
            if (l - b * S >= 0 && l - b * S < K) sum[b] += w[l - b * S] * v;
        }
      }
      for (int64_t b = 0; b < B; b++) store_before(to + b * N + c, sum[b], end);
    }
  }

  template <int64_t S>
  void convolve(const float* from, const float* kernel, const float* start, int64_t height, int64_t length, float* to,
                const float* end) const {
    for (int64_t y = 0; y < height; y++) {
      const float* row = from + y * S * LP * C;
      float* out = to + y * length * N;
      int64_t l = 0;
      for (; l + 4 <= length; l += 4) positions<S, 4>(row + l * S * C, kernel, start, out + l * N, end);
      for (; l + 2 <= length; l += 2) positions<S, 2>(row + l * S * C, kernel, start, out + l * N, end);
      for (; l < length; l++) positions<S, 1>(row + l * S * C, kernel, start, out + l * N, end);
    }
  }

  void weigh(const float* dz) {  // adds to the gradient of the weights; as many rows of taps at once as fit registers
    constexpr int64_t Y = K == 3 ? 3 : 1;
    for (int64_t c = 0; c < C; c += W)
      for (int64_t y = 0; y < K; y += Y) {
        Vector sum[Y * K];
        for (int64_t t = 0; t < Y * K; t++) sum[t] = Vector{};
        for (int64_t oy = 0; oy < OH; oy++)
          for (int64_t ol = 0; ol < OL; ol++) {
            const Vector g = load(dz + (oy * OL + ol) * N + c);
            const float* from = padded.data() + ((oy * stride + y) * LP + ol * stride) * C + c;
#pragma GCC unroll 3
            for (int64_t dy = 0; dy < Y; dy++)
#pragma GCC unroll 7
              for (int64_t k = 0; k < K; k++) sum[dy * K + k] += g * load(from + (dy * LP + k) * C);
          }
        for (int64_t t = 0; t < Y * K; t++) {
          float* to = gradient.data() + (y * K + t) * C + c;
          store(to, load(to) + sum[t]);
        }
      }
  }

  void scatter(const float* dz) {
    std::fill(spread.begin(), spread.end(), 0.0f);
    for (int64_t oy = 0; oy < OH; oy++)
      for (int64_t ol = 0; ol < OL; ol++)
        for (int64_t c = 0; c < C; c += W) {
          const Vector g = load(dz + (oy * OL + ol) * N + c);
          float* to = spread.data() + (oy * stride * LP + ol * stride) * C + c;
          for (int64_t y = 0; y < K; y++)
#pragma GCC unroll 7
            for (int64_t k = 0; k < K; k++) {
              float* place = to + (y * LP + k) * C;
              store(place, load(place) + g * load(taps.data() + (y * K + k) * C + c));
            }
        }
  }

  const int64_t C, H, L, stride, OH, OL, HP, LP, images;
  std::vector<float> taps, flipped, offset, padded, gradient, spread;
};

// No convolution: the norm and the activation alone.
class Given {
 public:
  explicit Given(const Tensor& x)
      : N(x.size(1)), rows(x.size(0) * x.size(2) * x.size(3)), many(std::max<int64_t>(1, CHUNK / N)) {}
  int64_t chunks() const { return (rows + many - 1) / many; }
  int64_t first_row(int64_t i) const { return i * many; }
  int64_t rows_of(int64_t i) const { return std::min(many, rows - i * many); }
  void forward(int64_t, const float*, float*) {}
  void backward(int64_t, const float*, const float*, float*) {}
  Tensor weight_gradient(const Tensor&) const { return {}; }

  static constexpr bool COMPUTES = false;
  const int64_t N, rows;

 private:
  const int64_t many;
};

template <typename F>
void with_convolution(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias, int64_t stride,
                      bool backward, F run) {
  if (!weight.has_value() || !weight->defined()) {
    Given none(x);
    return run(none);
  }
  const Tensor dense = weight->contiguous();
  const int64_t kernel = dense.size(2);
  if (kernel == 1) {
    Pointwise convolution(x, dense, bias, backward);
    return run(convolution);
  }
  TORCH_CHECK((kernel == 3 || kernel == 5 || kernel == 7) && (stride == 1 || stride == 2), "no such convolution");
  if (kernel == 3) {
    Depthwise<3> convolution(x, dense, bias, stride, backward);
    return run(convolution);
  }
  if (kernel == 5) {
    Depthwise<5> convolution(x, dense, bias, stride, backward);
    return run(convolution);
  }
  Depthwise<7> convolution(x, dense, bias, stride, backward);
  run(convolution);
}

// -------------------------------------------------------------------------------------------------- one node

const auto LAST = at::MemoryFormat::ChannelsLast;

Tensor map_like(const Tensor& x, int64_t channels, int64_t stride) {
  const auto out = [&](int64_t size) { return (size - 1) / stride + 1; };
  return at::empty({x.size(0), channels, out(x.size(2)), out(x.size(3))}, x.options(), LAST);
}

void refuse_second_derivative() {
  TORCH_CHECK(!at::GradMode::is_enabled(), "compiled layers have no second derivative: set LOWPARAM_COMPILED=0");
}

struct Statistics {
  Tensor running_mean, running_var;
  double momentum, eps;
};

// What a node of the graph keeps: x, weight, z, and of the norm gamma, beta, mean and 1 / std.
struct ConvNormAct : torch::autograd::Function<ConvNormAct> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const OptionalTensor& weight,
                        const OptionalTensor& bias, int64_t stride, const OptionalTensor& gamma,
                        const OptionalTensor& beta, const Statistics& statistics, int64_t activation) {
    const Tensor x = input.contiguous(LAST);
    const bool norm = gamma.has_value(), convolves = weight.has_value();
    const int64_t C = convolves ? weight->size(0) : x.size(1);
    Tensor z = convolves ? map_like(x, C, stride) : x;
    const bool acts = norm || activation != NONE;
    Tensor y = acts ? map_like(z, C, 1) : z;
    Tensor mean, scale;
    const float* from = x.const_data_ptr<float>();
    float* made = convolves ? z.mutable_data_ptr<float>() : const_cast<float*>(from);
    float* out = acts ? y.mutable_data_ptr<float>() : nullptr;
    with_convolution(x, weight, bias, stride, false, [&](auto& convolution) {
      Sums sums(C);
      std::vector<float> first;
      for (int64_t i = 0; i < convolution.chunks(); i++) {
        convolution.forward(i, from, made);
        const float* part = made + convolution.first_row(i) * C;
        const int64_t rows = convolution.rows_of(i);
        if (norm) {
          if (i == 0) first = sums.repeated(part);
          const float* shift = first.data();
          sums.add(rows, [=](int64_t k, int64_t j, float& p, float& q) {
            p = part[k] - shift[j];
            q = p * p;
          });
        } else if (acts) {
          float* to = out + convolution.first_row(i) * C;
          with_activation(activation, [&](auto a) {
#pragma omp simd
            for (int64_t k = 0; k < rows * C; k++) to[k] = activate<decltype(a)::value>(part[k]);
          });
        }
      }
      if (norm) {
        const int64_t count = z.numel() / C;
        std::tie(mean, scale) = finish(sums, first, count, statistics);
        normalise(sums, made, out, count, mean, scale, *gamma, *beta, activation);
      }
    });
    ctx->save_for_backward({x, convolves ? *weight : Tensor(), acts ? z : Tensor(), norm ? *gamma : Tensor(),
                            norm ? *beta : Tensor(), mean, scale});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["activation"] = activation;
    ctx->saved_data["bias"] = bias.has_value();
    return y;
  }

  // Mean and 1 / std of the batch, and the running statistics of torch.nn.BatchNorm2d.
  static std::tuple<Tensor, Tensor> finish(Sums& sums, const std::vector<float>& shift, int64_t count,
                                           const Statistics& statistics) {
    sums.flush();
    Tensor mean = at::empty({sums.C}, at::kFloat), scale = at::empty({sums.C}, at::kFloat);
    float *m = mean.mutable_data_ptr<float>(), *s = scale.mutable_data_ptr<float>();
    float* rm = statistics.running_mean.mutable_data_ptr<float>();
    float* rv = statistics.running_var.mutable_data_ptr<float>();
    const double momentum = statistics.momentum, n = static_cast<double>(count);
    for (int64_t c = 0; c < sums.C; c++) {
      const double off = sums.first[c] / n, var = sums.second[c] / n - off * off;
      const double kept = var < 0.0 ? 0.0 : var;  // NaN stays
      m[c] = static_cast<float>(shift[c] + off);
      s[c] = static_cast<float>(1.0 / std::sqrt(kept + statistics.eps));
      rm[c] = static_cast<float>(momentum * (shift[c] + off) + (1.0 - momentum) * rm[c]);
      rv[c] = static_cast<float>(momentum * kept * n / (n - 1.0) + (1.0 - momentum) * rv[c]);
    }
    statistics.running_mean.unsafeGetTensorImpl()->bump_version();
    statistics.running_var.unsafeGetTensorImpl()->bump_version();
    return {mean, scale};
  }

  static std::vector<float> factors(const Tensor& gamma, const Tensor& scale) {
    const float *g = gamma.const_data_ptr<float>(), *s = scale.const_data_ptr<float>();
    std::vector<float> result(gamma.numel());
    for (size_t c = 0; c < result.size(); c++) result[c] = g[c] * s[c];
    return result;
  }

  static void normalise(const Sums& sums, const float* z, float* y, int64_t rows, const Tensor& mean,
                        const Tensor& scale, const Tensor& gamma, const Tensor& beta, int64_t activation) {
    const auto means = sums.repeated(mean.const_data_ptr<float>()), betas = sums.repeated(beta.const_data_ptr<float>());
    const auto gains = sums.repeated(factors(gamma, scale).data());
    const float *m = means.data(), *b = betas.data(), *g = gains.data();
    with_activation(activation, [&](auto a) {
      over_tiles(rows, sums, [=](int64_t i, int64_t j) {
        y[i] = activate<decltype(a)::value>((z[i] - m[j]) * g[j] + b[j]);
      });
    });
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    const Tensor x = saved[0], weight = saved[1], z = saved[2], gamma = saved[3], beta = saved[4], mean = saved[5],
                 scale = saved[6];
    const Tensor grad = grads[0].contiguous(LAST);
    const bool norm = gamma.defined(), convolves = weight.defined(), has_bias = ctx->saved_data["bias"].toBool();
    const int64_t activation = ctx->saved_data["activation"].toInt(), stride = ctx->saved_data["stride"].toInt();
    const int64_t C = grad.size(1), count = grad.numel() / C;
    const bool acts = norm || activation != NONE;
    Tensor dx, dweight, dbias, dgamma, dbeta;
    if (ctx->needs_input_grad(0) || !convolves) dx = at::empty(x.sizes(), x.options(), LAST);
    float* to_x = dx.defined() ? dx.mutable_data_ptr<float>() : nullptr;
    const float *from = x.const_data_ptr<float>(), *g = grad.const_data_ptr<float>();
    const float* v = acts ? z.const_data_ptr<float>() : nullptr;
    with_convolution(x, weight, {}, stride, true, [&](auto& convolution) {
      Sums sums(C);
      std::vector<float> means, betas, gains, slopes, shifts;
      if (norm) {
        means = sums.repeated(mean.const_data_ptr<float>());
        betas = sums.repeated(beta.const_data_ptr<float>());
        gains = sums.repeated(factors(gamma, scale).data());
        const float *m = means.data(), *b = betas.data(), *f = gains.data();
        with_activation(activation, [&](auto a) {
          sums.add(count, [=](int64_t i, int64_t j, float& p, float& q) {
            const float centred = v[i] - m[j];
            p = deactivate<decltype(a)::value>(g[i], centred * f[j] + b[j]);
            q = p * centred;
          });
        });
        sums.flush();
        dgamma = at::empty({C}, at::kFloat);
        dbeta = at::empty({C}, at::kFloat);
        std::vector<float> slope(C), shift(C);
        const float* s = scale.const_data_ptr<float>();
        for (int64_t c = 0; c < C; c++) {
          dgamma.mutable_data_ptr<float>()[c] = static_cast<float>(sums.second[c] * s[c]);
          dbeta.mutable_data_ptr<float>()[c] = static_cast<float>(sums.first[c]);
          slope[c] = static_cast<float>(sums.second[c] / count * s[c] * s[c]);
          shift[c] = static_cast<float>(sums.first[c] / count);
        }
        slopes = sums.repeated(slope.data());
        shifts = sums.repeated(shift.data());
      }
      Sums biases(C);
      int64_t most = 0;
      for (int64_t i = 0; i < convolution.chunks(); i++) most = std::max(most, convolution.rows_of(i));
      std::vector<float> chunk(convolves ? most * C + 2 * W : 0, 0.0f);
      for (int64_t i = 0; i < convolution.chunks(); i++) {
        const int64_t rows = convolution.rows_of(i), begin = convolution.first_row(i) * C;
        float* d = convolves ? chunk.data() : to_x + begin;
        const float *gi = g + begin, *vi = v + begin;
        if (norm) {
          const float *m = means.data(), *b = betas.data(), *f = gains.data(), *k = slopes.data(), *h = shifts.data();
          with_activation(activation, [&](auto a) {
            over_tiles(rows, sums, [=](int64_t i, int64_t j) {
              const float centred = vi[i] - m[j];
              const float p = deactivate<decltype(a)::value>(gi[i], centred * f[j] + b[j]);
              d[i] = f[j] * (p - h[j] - centred * k[j]);
            });
          });
        } else {
          with_activation(activation, [&](auto a) {
#pragma omp simd
            for (int64_t k = 0; k < rows * C; k++)
              d[k] = deactivate<decltype(a)::value>(gi[k], decltype(a)::value == NONE ? 0.0f : vi[k]);
          });
        }
        if (has_bias) biases.add(rows, [=](int64_t k, int64_t, float& p, float& q) { p = d[k], q = 0.0f; });
        convolution.backward(i, d, from, ctx->needs_input_grad(0) ? to_x : nullptr);
      }
      if (convolves) dweight = convolution.weight_gradient(weight);
      if (has_bias) {
        biases.flush();
        dbias = at::empty({C}, at::kFloat);
        for (int64_t c = 0; c < C; c++) dbias.mutable_data_ptr<float>()[c] = static_cast<float>(biases.first[c]);
      }
    });
    return {dx, dweight, dbias, Tensor(), dgamma, dbeta, Tensor(), Tensor()};
  }
};

// -------------------------------------------------------------------------------------------------- layer norm

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& gamma, const Tensor& beta, double eps) {
    const Tensor x = input.contiguous(LAST);
    const int64_t C = x.size(1), rows = x.numel() / C;
    Tensor y = map_like(x, C, 1), means = at::empty({2, rows}, x.options());
    const float *from = x.const_data_ptr<float>(), *g = gamma.const_data_ptr<float>(), *b = beta.const_data_ptr<float>();
    float *to = y.mutable_data_ptr<float>(), *mean = means.mutable_data_ptr<float>(), *scale = mean + rows;
    for (int64_t r = 0; r < rows; r++) {
      const float* v = from + r * C;
      float* out = to + r * C;
      float sum = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
      for (int64_t c = 0; c < C; c++) sum += v[c];
      const float m = sum / static_cast<float>(C);
#pragma omp simd reduction(+ : squares)
      for (int64_t c = 0; c < C; c++) squares += (v[c] - m) * (v[c] - m);
      const float s = 1.0f / std::sqrt(squares / static_cast<float>(C) + static_cast<float>(eps));
      mean[r] = m;
      scale[r] = s;
#pragma omp simd
      for (int64_t c = 0; c < C; c++) out[c] = (v[c] - m) * s * g[c] + b[c];
    }
    ctx->save_for_backward({x, gamma, means});
    return y;
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    const Tensor x = saved[0], gamma = saved[1], grad = grads[0].contiguous(LAST);
    const int64_t C = x.size(1), rows = x.numel() / C;
    Tensor dx = at::empty(x.sizes(), x.options(), LAST), dgamma = at::empty({C}, at::kFloat), dbeta = at::empty({C}, at::kFloat);
    const float *from = x.const_data_ptr<float>(), *g = gamma.const_data_ptr<float>(), *d = grad.const_data_ptr<float>();
    const float *mean = saved[2].const_data_ptr<float>(), *scale = mean + rows;
    float* to = dx.mutable_data_ptr<float>();
    std::vector<double> first(C, 0.0), second(C, 0.0);
    std::vector<float> one(C, 0.0f), two(C, 0.0f);
    const auto flush = [&] {
      for (int64_t c = 0; c < C; c++) first[c] += one[c], second[c] += two[c], one[c] = two[c] = 0.0f;
    };
    for (int64_t r = 0; r < rows; r++) {
      const float *v = from + r * C, *dy = d + r * C, m = mean[r], s = scale[r];
      float *out = to + r * C, *p = one.data(), *q = two.data(), sum = 0.0f, product = 0.0f;
#pragma omp simd reduction(+ : sum, product)
      for (int64_t c = 0; c < C; c++) {
        const float unit = (v[c] - m) * s, inner = dy[c] * g[c];
        sum += inner;
        product += inner * unit;
        p[c] += dy[c];
        q[c] += dy[c] * unit;
      }
      sum /= static_cast<float>(C);
      product /= static_cast<float>(C);
#pragma omp simd
      for (int64_t c = 0; c < C; c++) out[c] = s * (dy[c] * g[c] - sum - (v[c] - m) * s * product);
      if (r % SUMMED == SUMMED - 1) flush();
    }
    flush();
    for (int64_t c = 0; c < C; c++) {
      dbeta.mutable_data_ptr<float>()[c] = static_cast<float>(first[c]);
      dgamma.mutable_data_ptr<float>()[c] = static_cast<float>(second[c]);
    }
    return {dx, dgamma, dbeta, Tensor()};
  }
};

Tensor conv_norm_act(const Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias, int64_t stride,
                     const OptionalTensor& gamma, const OptionalTensor& beta, const OptionalTensor& running_mean,
                     const OptionalTensor& running_var, double momentum, double eps, int64_t activation) {
  const Statistics statistics{running_mean.value_or(Tensor()), running_var.value_or(Tensor()), momentum, eps};
  return ConvNormAct::apply(x, weight, bias, stride, gamma, beta, statistics, activation);
}

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  return LayerNorm::apply(x, gamma, beta, eps);
}

}  // namespace

TORCH_LIBRARY(lowparam, library) {
  library.def(
      "conv_norm_act(Tensor x, Tensor? weight, Tensor? bias, int stride, Tensor? gamma, Tensor? beta, "
      "Tensor(a!)? running_mean, Tensor(b!)? running_var, float momentum, float eps, int activation) -> Tensor",
      conv_norm_act);
  library.def("layer_norm(Tensor x, Tensor gamma, Tensor beta, float eps) -> Tensor", layer_norm);
}
