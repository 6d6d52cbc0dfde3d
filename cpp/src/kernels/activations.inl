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

static const ActivationKernel activations[] = {
    {"relu", false, relu, relu_backward},
    {"sigmoid", false, sigmoid, sigmoid_backward},
    {"tanh", false, tanh, tanh_backward},
};
