// The smallest Fourier transforms. Constants are cosines and sines of 72, 144 and 120 degrees.

// Times -i.
fn pb_complex_right(a: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.y, -a.x);
}

fn pb_butterfly_2(v: ptr<function, array<vec2<f32>, 2>>) {
    let a = (*v)[0];
    let b = (*v)[1];
    (*v)[0] = a + b;
    (*v)[1] = a - b;
}

fn pb_butterfly_3(v: ptr<function, array<vec2<f32>, 3>>) {
    let sum = (*v)[1] + (*v)[2];
    let turned = pb_complex_right((*v)[1] - (*v)[2]) * 0.8660254037844386;
    let middle = (*v)[0] - sum * 0.5;
    (*v)[0] = (*v)[0] + sum;
    (*v)[1] = middle + turned;
    (*v)[2] = middle - turned;
}

fn pb_butterfly_4(v: ptr<function, array<vec2<f32>, 4>>) {
    let a = (*v)[0] + (*v)[2];
    let b = (*v)[0] - (*v)[2];
    let c = (*v)[1] + (*v)[3];
    let d = pb_complex_right((*v)[1] - (*v)[3]);
    (*v)[0] = a + c;
    (*v)[1] = b + d;
    (*v)[2] = a - c;
    (*v)[3] = b - d;
}

fn pb_butterfly_5(v: ptr<function, array<vec2<f32>, 5>>) {
    let a = (*v)[1] + (*v)[4];
    let b = (*v)[2] + (*v)[3];
    let c = (*v)[1] - (*v)[4];
    let d = (*v)[2] - (*v)[3];
    let first = (*v)[0] + a * 0.30901699437494745 - b * 0.8090169943749475;
    let second = (*v)[0] - a * 0.8090169943749475 + b * 0.30901699437494745;
    let one = pb_complex_right(c * 0.9510565162951535 + d * 0.5877852522924731);
    let two = pb_complex_right(c * 0.5877852522924731 - d * 0.9510565162951535);
    (*v)[0] = (*v)[0] + a + b;
    (*v)[1] = first + one;
    (*v)[2] = second + two;
    (*v)[3] = second - two;
    (*v)[4] = first - one;
}
