// Activation functions of hidden neurons, as plain loops for the compiler to widen. To add one,
// write its two functions and its entry in the table. They are called with finite numbers, and with
// NaN or infinity where a training diverges, which must then stay.
//   i/o y[n]   in place: y = f(y)
//   in  z[n]   what f was given; null unless the entry's needs_sums is true
//   i/o d[n]   the gradient by y becomes that by z

static void relu(offset_t n, float* y) {
  for (offset_t i = 0; i < n; ++i) y[i] = y[i] <= 0.0f ? 0.0f : y[i];
}
static void relu_backward(offset_t n, const float*, const float* y, float* d) {
  for (offset_t i = 0; i < n; ++i) d[i] = y[i] <= 0.0f ? 0.0f : d[i];
}

// Maas, Hannun and Ng 2013: neurons that are off still learn.
static const float leak = 0.01f;
static void leaky_relu(offset_t n, float* y) {
  for (offset_t i = 0; i < n; ++i) y[i] = y[i] <= 0.0f ? leak * y[i] : y[i];
}
static void leaky_relu_backward(offset_t n, const float*, const float* y, float* d) {
  for (offset_t i = 0; i < n; ++i) d[i] = y[i] <= 0.0f ? leak * d[i] : d[i];
}

static void sigmoid(offset_t n, float* y) {
  for (offset_t i = 0; i < n; ++i) y[i] = sigmoid_of(y[i]);
}
static void sigmoid_backward(offset_t n, const float*, const float* y, float* d) {
  for (offset_t i = 0; i < n; ++i) d[i] *= y[i] * (1.0f - y[i]);
}

static void tanh(offset_t n, float* y) {
  for (offset_t i = 0; i < n; ++i) y[i] = tanh_of(y[i]);
}
static void tanh_backward(offset_t n, const float*, const float* y, float* d) {
  for (offset_t i = 0; i < n; ++i) d[i] *= 1.0f - y[i] * y[i];
}

// z sigmoid(z); Elfwing, Uchibe and Doya 2017. Its slope is no function of its value, which it
// takes twice.
static void silu(offset_t n, float* y) {
  for (offset_t i = 0; i < n; ++i) y[i] *= sigmoid_of(y[i]);
}
static void silu_backward(offset_t n, const float* z, const float*, float* d) {
  for (offset_t i = 0; i < n; ++i) {
    const float s = sigmoid_of(z[i]);
    d[i] *= s * (1.0f + z[i] * (1.0f - s));
  }
}

static const ActivationKernel activations[] = {
    {"relu", false, relu, relu_backward}, {"sigmoid", false, sigmoid, sigmoid_backward},
    {"tanh", false, tanh, tanh_backward}, {"leaky_relu", false, leaky_relu, leaky_relu_backward},
    {"silu", true, silu, silu_backward},
};
