// Optimal brain surgeon (Hassibi & Stork 1993): what parameters cost, and how others make up for
// them, where the loss is quadratic. Dense and in double precision; the order of all sums is that
// of the source.
#pragma once

#include "synaprune/types.hpp"

namespace synaprune {

// H[n, n], row by row: symmetric, of which the upper triangle is read and overwritten, and all of
// its eigenvalues are at least `least` > 0.

// out[q] = 1 / [H^-1]_qq, the curvature along parameter q if all others follow. Work: n^3 / 3.
void conditional_curvature(index_t n, double least, double* H, double* out);

// x[n] = H^-1 x. Work: n^3 / 6.
void solve(index_t n, double least, double* H, double* x);

}  // namespace synaprune
