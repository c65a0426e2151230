// Two ways to full size in C++, to compare with model/pixels/upsampling_kernel.py: the same joint bilateral upsampling, and a
// bilateral grid (Chen et al. 2007, Real-time edge-aware image processing with the bilateral grid) that is looked up
// between its cells. Both end in the same gamut mapping and conversion. Arguments are those of `fill_rows` there.
#include <torch/extension.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace {

constexpr int TAPS = 5, SPAN = 256, RUN = 64, LANES = 8;

struct Constants {  // of model/pixels/gamut.py and model/pixels/color.py
  int steps;
  float low, high, cube_from, slope, offset;
  std::array<float, 9> to_linear;
  std::vector<uint8_t> encoded;  // of even steps of linear sRGB, from 0 to 1
};

Constants constants;

void configure(int taps, int steps, float low, float high, float cube_from, float slope, float offset,
               const std::array<float, 9>& to_linear, const torch::Tensor& encoded) {
  TORCH_CHECK(taps == TAPS, "written for ", TAPS, " taps a side");
  constants = {steps, low, high, cube_from, slope, offset, to_linear, {}};
  constants.encoded.assign(encoded.data_ptr<uint8_t>(), encoded.data_ptr<uint8_t>() + encoded.numel());
}

inline float gaussian(float x) {
  const float z = std::min(x * x * (1.0f / 128), 1.0f);
  float g = 1 - z + z * z * 0.5f;
  g *= g; g *= g; g *= g; g *= g; g *= g; g *= g;
  return g;
}

inline float inverse_f(float f) {
  return f > constants.cube_from ? f * f * f : f * constants.slope - constants.offset;
}

inline void to_linear(float f, float dx, float dz, float& red, float& green, float& blue) {
  const auto& m = constants.to_linear;
  const float x = inverse_f(f + dx), y = inverse_f(f), z = inverse_f(f + dz);
  red = m[0] * x + m[1] * y + m[2] * z;
  green = m[3] * x + m[4] * y + m[5] * z;
  blue = m[6] * x + m[7] * y + m[8] * z;
}

inline bool is_inside(float red, float green, float blue) {
  return std::min(red, std::min(green, blue)) >= constants.low && std::max(red, std::max(green, blue)) <= constants.high;
}

void encode(int count, const float* f, const float* dx, const float* dz, uint8_t* pixels) {
  static thread_local float linear[3][SPAN], packed[5][SPAN];
  static thread_local int origin[SPAN];
  for (int k = 0; k < count; k++) to_linear(f[k], dx[k], dz[k], linear[0][k], linear[1][k], linear[2][k]);
  int outside = 0;
  for (int k = 0; k < count; k++) {
    if (is_inside(linear[0][k], linear[1][k], linear[2][k])) continue;
    packed[0][outside] = f[k], packed[1][outside] = dx[k], packed[2][outside] = dz[k];
    packed[3][outside] = 0, packed[4][outside] = 1;
    origin[outside++] = k;
  }
  for (int step = 0; step < constants.steps; step++) {
    for (int k = 0; k < outside; k++) {
      const float factor = (packed[3][k] + packed[4][k]) * 0.5f;
      float red, green, blue;
      to_linear(packed[0][k], factor * packed[1][k], factor * packed[2][k], red, green, blue);
      const bool inside = is_inside(red, green, blue);
      packed[3][k] = inside ? factor : packed[3][k];
      packed[4][k] = inside ? packed[4][k] : factor;
    }
  }
  for (int k = 0; k < outside; k++) {
    const int at = origin[k];
    to_linear(packed[0][k], packed[3][k] * packed[1][k], packed[3][k] * packed[2][k], linear[0][at], linear[1][at],
              linear[2][at]);
  }
  const int white = int(constants.encoded.size()) - 1;
  for (int k = 0; k < count; k++)
    for (int c = 0; c < 3; c++)
      pixels[3 * k + c] = constants.encoded[std::clamp(int(linear[c][k] * white + 0.5f), 0, white)];
}

void encode_span(int count, int left, int64_t y, const float* row, const std::vector<float>& opponents, int maps,
                 int64_t height, int64_t width, uint8_t* out) {
  float f[SPAN];
  for (int k = 0; k < count; k++) f[k] = (row[left + k] + 16) / 116;
  for (int m = 0; m < maps; m++)
    encode(count, f, &opponents[2 * m * (SPAN + RUN)], &opponents[(2 * m + 1) * (SPAN + RUN)],
           out + ((m * height + y) * width + left) * 3);
}

void weigh_axis(int64_t start, int count, int64_t size, int64_t small, float per_sigma, float (*weights)[RUN]) {
  const int64_t nearest = (2 * start + 1) * small / (2 * size);
  for (int j = 0; j < TAPS; j++)
    for (int k = 0; k < count; k++)
      weights[j][k] = gaussian(float((start + k + 0.5) * small / size - (nearest + j - TAPS / 2 + 0.5)) * per_sigma);
}

void joint_bilateral(int64_t first, int64_t last, const torch::Tensor& lightness, const torch::Tensor& guide,
                     const torch::Tensor& chroma, float per_space, float per_lightness, float floor,
                     torch::Tensor out) {
  const int64_t height = lightness.size(0), width = lightness.size(1), rows = guide.size(0), columns = guide.size(1);
  const int channels = chroma.size(2);
  const float *photo = lightness.data_ptr<float>(), *small = guide.data_ptr<float>(), *maps = chroma.data_ptr<float>();
  std::vector<float> opponents(channels * (SPAN + RUN)), taps(TAPS * TAPS * channels);
  float weights[TAPS * TAPS][RUN], weight_y[TAPS][RUN], weight_x[TAPS][RUN], total[RUN], near[RUN] = {};
  for (int64_t y = first; y < last; y++) {
    const float* row = photo + y * width;
    const int64_t nearest_y = (2 * y + 1) * rows / (2 * height);
    weigh_axis(y, 1, height, rows, per_space, weight_y);
    for (int64_t left = 0; left < width; left += SPAN) {
      const int64_t right = std::min(left + SPAN, width);
      for (int64_t x = left; x < right;) {
        const int64_t nearest_x = (2 * x + 1) * columns / (2 * width);
        const int64_t next = (2 * (nearest_x + 1) * width - columns + 2 * columns - 1) / (2 * columns);
        const int pixels = std::min({next, x + RUN, right}) - x;
        const int count = (pixels + LANES - 1) / LANES * LANES;  // no loop has a slow rest; what lies beyond is overwritten
        std::copy_n(row + x, pixels, near);
        weigh_axis(x, count, width, columns, per_space, weight_x);
        std::fill_n(total, count, 0.0f);
        for (int t = 0; t < TAPS * TAPS; t++) {
          const int64_t tap_y = std::clamp<int64_t>(nearest_y + t / TAPS - TAPS / 2, 0, rows - 1);
          const int64_t tap_x = std::clamp<int64_t>(nearest_x + t % TAPS - TAPS / 2, 0, columns - 1);
          const float tap = small[tap_y * columns + tap_x], along_y = weight_y[t / TAPS][0];
          std::copy_n(maps + (tap_y * columns + tap_x) * channels, channels, &taps[t * channels]);
          for (int k = 0; k < count; k++) {
            const float alike = gaussian((near[k] - tap) * per_lightness) + floor;
            total[k] += weights[t][k] = alike * (along_y * weight_x[t % TAPS][k]);
          }
        }
        for (int k = 0; k < count; k++) total[k] = 1 / total[k];
        for (int c = 0; c < channels; c++) {
          float* sums = &opponents[c * (SPAN + RUN) + (x - left)];
          std::fill_n(sums, count, 0.0f);
          for (int t = 0; t < TAPS * TAPS; t += TAPS) {
            const float s0 = taps[t * channels + c], s1 = taps[(t + 1) * channels + c],
                        s2 = taps[(t + 2) * channels + c], s3 = taps[(t + 3) * channels + c],
                        s4 = taps[(t + 4) * channels + c];
            for (int k = 0; k < count; k++)
              sums[k] += s0 * weights[t][k] + s1 * weights[t + 1][k] + s2 * weights[t + 2][k] +
                         s3 * weights[t + 3][k] + s4 * weights[t + 4][k];
          }
          for (int k = 0; k < count; k++) sums[k] *= total[k];
        }
        x += pixels;
      }
      encode_span(right - left, left, y, row, opponents, channels / 2, height, width, out.data_ptr<uint8_t>());
    }
  }
}

// grid: (rows, columns, bins, channels + 1); the last channel is the sum of weights. per_bin: bins for a unit of L*.
void bilateral_grid(int64_t first, int64_t last, const torch::Tensor& lightness, const torch::Tensor& grid,
                    float per_bin, torch::Tensor out) {
  const int64_t height = lightness.size(0), width = lightness.size(1), rows = grid.size(0), columns = grid.size(1);
  const int bins = grid.size(2), depth = grid.size(3), channels = depth - 1;
  const float *photo = lightness.data_ptr<float>(), *cells = grid.data_ptr<float>();
  std::vector<float> opponents(channels * (SPAN + RUN)), sums(depth);
  const auto between = [](double position, int64_t size, int64_t& low, int64_t& high) {
    const double whole = std::floor(position);
    low = std::clamp<int64_t>(int64_t(whole), 0, size - 1), high = std::clamp<int64_t>(int64_t(whole) + 1, 0, size - 1);
    return float(position - whole);
  };
  for (int64_t y = first; y < last; y++) {
    const float* row = photo + y * width;
    int64_t y0, y1, x0, x1, l0, l1;
    const float ty = between((y + 0.5) * rows / height - 0.5, rows, y0, y1);
    for (int64_t left = 0; left < width; left += SPAN) {
      const int64_t right = std::min(left + SPAN, width);
      for (int64_t x = left; x < right; x++) {
        const float tx = between((x + 0.5) * columns / width - 0.5, columns, x0, x1);
        const float tl = between(row[x] * per_bin, bins, l0, l1);
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int corner = 0; corner < 8; corner++) {
          const int64_t gy = corner & 4 ? y1 : y0, gx = corner & 2 ? x1 : x0, gl = corner & 1 ? l1 : l0;
          const float weight = (corner & 4 ? ty : 1 - ty) * (corner & 2 ? tx : 1 - tx) * (corner & 1 ? tl : 1 - tl);
          const float* cell = cells + ((gy * columns + gx) * bins + gl) * depth;
          for (int c = 0; c < depth; c++) sums[c] += weight * cell[c];
        }
        const float scale = 1 / sums[channels];
        for (int c = 0; c < channels; c++) opponents[c * (SPAN + RUN) + (x - left)] = sums[c] * scale;
      }
      encode_span(right - left, left, y, row, opponents, channels / 2, height, width, out.data_ptr<uint8_t>());
    }
  }
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  const auto released = py::call_guard<py::gil_scoped_release>();
  module.def("configure", &configure);
  module.def("joint_bilateral", &joint_bilateral, released);
  module.def("bilateral_grid", &bilateral_grid, released);
}
