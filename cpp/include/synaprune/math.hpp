// exp, log and powers of our own, where a decision depends on the result: those of C libraries
// differ in the last bit between systems. Plain IEEE operations in a fixed order.
#pragma once

#include <cstdint>

namespace synaprune {

// Of finite arguments. The first three are right to 3 ulp; powers collect the errors of their
// steps. The exponential clamps its argument to [-700, 700].
double exponential(double x);
double logarithm(double x);                        // x > 0 and normal
double logarithm_1p(double x);                     // log(1 + x) for x in [0, 1]
double power(double base, std::int64_t exponent);  // exponent >= 0
double power(double base, double exponent);        // base >= 0; 0 to a positive power is 0

// log(1 + e^z) without overflow.
double softplus(double z);

}  // namespace synaprune
